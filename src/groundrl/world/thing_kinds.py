"""Questions about what the objects are: their names, their colours, whether they are there.

Each function returns None when the scene holds no such question with exactly one reading.
"""

import numpy as np

from groundrl.records import Segments
from groundrl.world.drafts import (
    MAX_OPTIONS,
    Draft,
    distractors,
    pick,
    sentence,
    several,
    some,
    there_is,
)
from groundrl.world.graph import Scene
from groundrl.world.phrases import (
    label,
    listing,
    plural,
    reference,
    relational_references,
    weave,
    with_article,
    with_unique_category,
    with_unique_label,
)
from groundrl.world.vocabulary import CATEGORIES, COLORS


def describe(scene: Scene, rng: np.random.Generator) -> Draft:
    """Name and box every object, near to far."""
    question = pick(("What objects are there?", "Describe the objects."), rng)
    rationale = weave("There is ", *listing(scene.objects, None), ".")
    return Draft(question=question, rationale=rationale)


def locate(scene: Scene, rng: np.random.Generator) -> Draft | None:
    """Box the one object that an expression refers to."""
    plain = [(t, name) for t in scene.objects if (name := reference(scene, t)) is not None]
    full = [(t, label(t)) for t in with_unique_label(scene)]
    related = [(t, found.text) for t in scene.objects for found in relational_references(scene, t)]
    styles = [style for style in (plain, full, related) if style]
    if not styles:
        return None
    thing, name = pick(pick(styles, rng), rng)
    question = pick((f"Find the {name}.", f"Where is the {name}?"), rng)
    return Draft(question=question, rationale=weave("Here is the ", thing, "."))


def color(scene: Scene, rng: np.random.Generator) -> Draft | None:
    """ "What color is the cup?" of an object that its colour is not needed to find."""
    plain = [(t, t.category, sentence([t], t.color)) for t in with_unique_category(scene)]
    related = [
        (
            t,
            found.text,
            weave("The ", t, f" {found.relation} the ", found.landmark, f" is {t.color}."),
        )
        for t in scene.objects
        for found in relational_references(scene, t)
    ]
    styles = [style for style in (plain, related) if style]
    if not styles:
        return None
    thing, name, rationale = pick(pick(styles, rng), rng)
    seen = {other.color for other in scene.objects}
    return Draft(
        question=f"What color is the {name}?",
        rationale=rationale,
        right=(thing.color,),
        wrong=distractors(thing.color, seen, tuple(COLORS), rng),
    )


def category(scene: Scene, rng: np.random.Generator) -> Draft | None:
    """ "What is the red thing?" of the only red object."""
    colors = [thing.color for thing in scene.objects]
    unique = [thing for thing in scene.objects if colors.count(thing.color) == 1]
    if not unique:
        return None
    thing = pick(unique, rng)
    seen = {other.category for other in scene.objects}
    return Draft(
        question=f"What is the {thing.color} thing?",
        rationale=sentence([thing], with_article(thing.category)),
        right=(thing.category,),
        wrong=distractors(thing.category, seen, CATEGORIES[scene.spec.subject], rng),
    )


def multi_color(scene: Scene, rng: np.random.Generator) -> Draft | None:
    """ "Which of these are red or blue?" among objects that their category alone names."""
    things = some(with_unique_category(scene), MAX_OPTIONS, rng)
    colors = sorted({thing.color for thing in things})
    groups = [(c,) for c in colors] + [(c, d) for c in colors for d in colors if c < d]
    cases = [
        (group, right)
        for group in groups
        if len(right := [t for t in things if t.color in group]) < len(things)
    ]
    chosen = several(cases, [len(right) for _, right in cases], rng)
    if chosen is None:
        return None
    group, right = chosen
    words = " or ".join(some(group, 2, rng))
    return Draft(
        question=f"Which of these are {words}?",
        rationale=sentence(right, words),
        right=tuple(t.category for t in right),
        wrong=tuple(t.category for t in things if t not in right),
    )


def _yes_no(question: str, answer: bool, rationale: Segments) -> Draft:
    right, wrong = ("yes", "no") if answer else ("no", "yes")
    return Draft(question=question, rationale=rationale, right=(right,), wrong=(wrong,))


def exists(scene: Scene, rng: np.random.Generator) -> Draft | None:
    """ "Is there a red cup?": yes, or no because the cups or the red things are others.

    Both answers have something to point at: what is asked for, or what comes closest.
    """
    present = {label(thing) for thing in scene.objects}
    if rng.random() < 0.5:
        asked = pick(sorted(present), rng)
        things = [t for t in scene.objects if label(t) == asked]
        return _yes_no(f"Is there {with_article(asked)}?", True, there_is(things))
    shade = pick(sorted({t.color for t in scene.objects}), rng)
    nouns = [n for n in CATEGORIES[scene.spec.subject] if f"{shade} {n}" not in present]
    # Half of the nouns are in the scene, in another colour: the colour alone does not decide.
    here = [n for n in nouns if n in {t.category for t in scene.objects}]
    if not nouns:
        return None
    noun = pick(here if here and rng.random() < 0.5 else nouns, rng)
    same_noun = [t for t in scene.objects if t.category == noun]
    same_color = [t for t in scene.objects if t.color == shade]
    if same_noun:
        said = sentence(same_noun, f"not {shade}")
    else:
        other = with_article(noun) if len(same_color) == 1 else plural(noun)
        said = sentence(same_color, f"not {other}")
    return _yes_no(f"Is there {with_article(f'{shade} {noun}')}?", False, said)


def presence(scene: Scene, rng: np.random.Generator) -> Draft | None:
    """ "Is there a cup?": a "no" points at nothing."""
    here = sorted({thing.category for thing in scene.objects})
    if rng.random() < 0.5:
        noun = pick(here, rng)
        things = [thing for thing in scene.objects if thing.category == noun]
        return _yes_no(f"Is there {with_article(noun)}?", True, there_is(things))
    absent = [noun for noun in CATEGORIES[scene.spec.subject] if noun not in here]
    if not absent:
        return None
    noun = pick(absent, rng)
    return _yes_no(f"Is there {with_article(noun)}?", False, weave(f"There is no {noun}."))
