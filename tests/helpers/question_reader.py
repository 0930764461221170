"""An independent reader of questions: what is true of a scene, worked out from their words."""

import re

from groundrl.language.words import plural
from groundrl.records import Sample
from groundrl.relations import Relation
from groundrl.world.graph import Scene, SceneObject
from groundrl.world.relations import is_ruled_out, relations
from groundrl.world.vocabulary import CATEGORIES, COLORS

NUMBER_WORDS = ["zero", "one", "two", "three", "four", "five"]
RELATION = f"({'|'.join(Relation)})"
RELATED = re.compile(rf"(?P<noun>.+?) (?P<relation>{'|'.join(Relation)}) the (?P<landmark>.+)")


def related(one: Scene, relation: str, landmark: SceneObject) -> list[SceneObject]:
    anchor = one.objects.index(landmark)
    return [one.objects[i] for i, r, j in relations(one) if r == relation and j == anchor]


def meant(one: Scene, name: str) -> list[SceneObject]:
    """Every object that a name without an article could mean."""
    if found := RELATED.fullmatch(name):
        (landmark,) = meant(one, found["landmark"])
        inside = related(one, found["relation"], landmark)
        candidates = [o for o in meant(one, found["noun"]) if o != landmark]
        unclear = [
            o
            for o in candidates
            if o not in inside and not is_ruled_out(Relation(found["relation"]), o, landmark, one)
        ]
        assert not unclear, "a borderline object could be meant as well"
        return [o for o in candidates if o in inside]
    *color, noun = name.split()
    return [
        o
        for o in one.objects
        if (not color or o.color == color[0]) and noun in (o.category, "object", "thing")
    ]


def only(one: Scene, name: str) -> SceneObject:
    (found,) = meant(one, name)
    return found


def singular(one: Scene, word: str) -> str:
    return next(noun for noun in CATEGORIES[one.spec.subject] if plural(noun) == word)


def right_answers(one: Scene, sample: Sample) -> set[str]:
    """The options that are true, worked out from the words of the question alone."""
    asked, options = sample.question.rstrip("?."), set(sample.options)
    if found := re.fullmatch("What color is the (.+)", asked):
        return {only(one, found[1]).color}
    if found := re.fullmatch(r"What is the (\w+ thing)", asked):
        return {only(one, found[1]).category}
    if found := re.fullmatch(
        "Is the (.+) (left or right of|in front of or behind) the (.+)", asked
    ):
        a, b = (one.objects.index(only(one, found[i])) for i in (1, 3))
        held = {r.removesuffix(" of") for i, r, j in relations(one) if (i, j) == (a, b)}
        return held & options
    if found := re.fullmatch(
        rf"(?:Is|True or false:) the (.+?)(?: is)? {RELATION} the (.+)", asked
    ):
        a, b = (one.objects.index(only(one, found[i])) for i in (1, 3))
        held = any(r == found[2] and (i, j) == (a, b) for i, r, j in relations(one))
        clear = held or is_ruled_out(Relation(found[2]), one.objects[a], one.objects[b], one)
        assert clear, "a borderline case is stated"
        return verdict(held) & options
    if found := re.fullmatch(rf"Is the (\w+) ({'|'.join(COLORS)})", asked):
        return verdict(only(one, found[1]).color == found[2]) & options
    if found := re.fullmatch(rf"(?:Is|Are) there ({'|'.join(NUMBER_WORDS)}|six) (\w+)", asked):
        noun = found[2] if found[1] == "one" else singular(one, found[2])
        return verdict([*NUMBER_WORDS, "six"].index(found[1]) == len(meant(one, noun))) & options
    if found := re.fullmatch(r"Which of these (?:is|are) (.+?) the (.+)", asked):
        right = related(one, found[1], only(one, found[2]))
        return {option for option in options if only(one, option) in right}
    if found := re.fullmatch(r"Which of these are (\w+)(?: or (\w+))?", asked):
        return {option for option in options if only(one, option).color in found.groups()}
    if found := re.fullmatch(r"How many objects are (\w+)", asked):
        return {NUMBER_WORDS[sum(o.color == found[1] for o in one.objects)]}
    if found := re.fullmatch(r"How many (\w+) are there", asked):
        return {NUMBER_WORDS[len(meant(one, singular(one, found[1])))]}
    if found := re.fullmatch("How many objects are (.+?) the (.+)", asked):
        return {NUMBER_WORDS[len(meant(one, f"object {found[1]} the {found[2]}"))]}
    found = re.fullmatch("Is there an? (.+?)(?: in the (?:picture|image))?", asked)
    assert found, f"no reading of {asked!r}"
    return {"yes" if meant(one, found[1]) else "no"}


def verdict(true: bool) -> set[str]:
    return {"yes", "true"} if true else {"no", "false"}
