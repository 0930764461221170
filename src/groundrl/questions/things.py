"""Kinds of question about what the objects are: whether they are there, their colour, their class.

Each returns None where the image leaves no such question with exactly one reading.
"""

from collections.abc import Sequence
from typing import Final

from groundrl.language.words import with_article
from groundrl.questions.claims import ClassOf, ColorOf, Exists, OfColors, Present
from groundrl.questions.draft import Draft, choice
from groundrl.questions.draws import Draws, T, up_to
from groundrl.questions.known import KnownImage, KnownObject
from groundrl.questions.references import Reference, relational_references
from groundrl.questions.sentences import (
    color_beside,
    decide,
    listing,
    one_order,
    state,
    weave,
)

MAX_OPTIONS: Final = 4
SINGLE_ANSWER_SHARE: Final = 0.2
"""How often a question that allows several answers has one, where the image offers both."""
IN_PICTURE: Final = "in the picture"
MAX_PRESENT_BOXES: Final = 6
"""Boxes in the rationale of "Which of these are in the picture?"."""


def presence(
    image: KnownImage,
    draws: Draws,
    *,
    places: Sequence[str] = ("",),
    options: tuple[str, ...] = (),
) -> Draft | None:
    """ "Is there a cup?", "Is there a cup in the picture?" Yes as often as no.

    A "no" points at one object, as what comes closest: a model that says what it found can tell
    that it is something else. ``places``: "" or "in the picture", one of them is drawn.
    ``options``: in a fixed order.
    """
    yes = draws.random() < 0.5
    here = sorted(image.pointable)
    pool = here if (yes and here) or not image.absent else image.absent
    if not pool:
        return None
    return presence_of_class(draws.choice(pool), image, draws, draws.choice(places), options)


def presence_of_class(
    noun: str,
    image: KnownImage,
    draws: Draws,
    where: str = "",
    options: tuple[str, ...] = (),
) -> Draft:
    """The question whether there is an object of this class."""
    found = image.pointable.get(noun, ())
    candidates = [one for objects in image.pointable.values() for one in objects]
    closest = found or ([draws.choice(candidates)] if candidates else [])
    claim = Exists(what=Reference(noun=noun), where=where)
    return exists(claim, closest, bool(found), image, draws, options)


def presence_of_color(image: KnownImage, draws: Draws) -> Draft | None:
    """ "Is there a red cup?": yes, or no because the cups or the red things are others.

    Both answers have objects to point at: what is asked for, or what comes closest.
    """
    present = {one.label for one in image.objects}
    if draws.random() < 0.5:
        asked = draws.choice(sorted(present))
        found = [one for one in image.objects if one.label == asked]
        what = Reference(noun=found[0].noun, color=found[0].color)
        return exists(Exists(what=what), found, True, image, draws)
    color = draws.choice(sorted({one.color for one in image.objects if one.color}))
    nouns = [noun for noun in image.possible_nouns if f"{color} {noun}" not in present]
    # Half of the nouns are in the image, in another colour: the colour alone does not decide.
    here = [noun for noun in nouns if noun in image.classes]
    if not nouns:
        return None
    noun = draws.choice(here if here and draws.random() < 0.5 else nouns)
    claim = Exists(what=Reference(noun=noun, color=color))
    return exists(claim, claim.closest(image), False, image, draws)


def exists(
    claim: Exists,
    objects: Sequence[KnownObject],
    found: bool,
    image: KnownImage,
    draws: Draws,
    options: tuple[str, ...] = (),
) -> Draft:
    """The draft of a claim about these objects: all that it means, or what comes closest."""
    name = with_article(claim.what.name)
    rationale = draws.choice(decide(image.phrases(objects), name, found=found))
    right, wrong = ("yes", "no") if found else ("no", "yes")
    return Draft(
        claim=claim,
        rationale=rationale,
        options=options or tuple(draws.sample((right, wrong), k=2)),
        answers=(right,),
        any_object=not found and not claim.closest(image),
    )


def color(image: KnownImage, draws: Draws, *, relational: bool = False) -> Draft | None:
    """ "What color is the cup?" of an object that its colour is not needed to find; where
    ``relational``, also "What color is the cup left of the lamp?"."""
    plain = [
        (one, Reference(noun=one.noun), one_order(state([image.phrase(one)], one.color)))
        for one in image.alone_in_class
        if one.color is not None
    ]
    related = [
        (
            one,
            reference,
            color_beside(
                image.phrase(one), one.color, str(reference.relation), image.phrase(landmark)
            ),
        )
        for one in (image.objects if relational else ())
        if one.color is not None
        for reference, landmark in relational_references(one, image)
    ]
    found = draw_of_styles([plain, related], draws)
    if found is None:
        return None
    one, reference, rationale = found
    right = str(one.color)
    seen = {other.color for other in image.objects if other.color is not None}
    wrong = _wrong_words(right, seen, image.possible_colors, draws)
    return choice(ColorOf(what=reference), rationale, [right], wrong, draws)


def category(image: KnownImage, draws: Draws) -> Draft | None:
    """ "What is the red thing?" of the only red object."""
    colors = [one.color for one in image.objects]
    unique = [one for one in image.objects if one.color and colors.count(one.color) == 1]
    if not unique:
        return None
    one = draws.choice(unique)
    wrong = _wrong_words(one.noun, {o.noun for o in image.objects}, image.possible_nouns, draws)
    rationale = one_order(state([image.phrase(one)], with_article(one.noun)))
    return choice(ClassOf(color=str(one.color)), rationale, [one.noun], wrong, draws)


def multi_color(image: KnownImage, draws: Draws) -> Draft | None:
    """ "Which of these are red or blue?" among objects that their class alone names."""
    objects = up_to(MAX_OPTIONS, [one for one in image.alone_in_class if one.color], draws)
    colors = sorted({str(one.color) for one in objects})
    groups = [(c,) for c in colors] + [(c, d) for c in colors for d in colors if c < d]
    cases = [
        (group, right)
        for group in groups
        if len(right := [one for one in objects if one.color in group]) < len(objects)
    ]
    chosen = draw_several(cases, [len(right) for _, right in cases], draws)
    if chosen is None:
        return None
    group, right = chosen
    claim = OfColors(colors=tuple(up_to(2, group, draws)))
    return choice(
        claim,
        one_order(state(image.phrases(right), " or ".join(claim.colors))),
        [one.noun for one in right],
        [one.noun for one in objects if one not in right],
        draws,
    )


def multi_present(image: KnownImage, draws: Draws) -> Draft | None:
    """ "Which of these are in the picture?" Up to four classes, one to three of them there."""
    nouns = draws.sample(sorted(image.pointable), k=len(image.pointable))
    right: list[str] = []
    for noun in nouns[: draws.randint(1, MAX_OPTIONS - 1)]:
        boxes = sum(len(image.pointable[other]) for other in (*right, noun))
        if boxes <= MAX_PRESENT_BOXES:
            right.append(noun)
    wrong = up_to(MAX_OPTIONS - len(right), image.absent, draws)
    if not right or not wrong:
        return None
    items = image.phrases([one for noun in right for one in image.pointable[noun]])
    missing = " and no ".join(wrong)
    rationale = weave("I see ", *listing(items), f", but no {missing}.")
    return choice(Present(), one_order(rationale), right, wrong, draws)


def draw_of_styles(styles: Sequence[Sequence[T]], draws: Draws) -> T | None:
    """A style of question of those that have cases, then one of its cases."""
    styles = [cases for cases in styles if cases]
    if not styles:
        return None
    return draws.choice(styles[0] if len(styles) == 1 else draws.choice(styles))


def draw_several(cases: Sequence[T], counts: Sequence[int], draws: Draws) -> T | None:
    """A case with two or more right options, now and then one with a single right option."""
    many = [case for case, count in zip(cases, counts, strict=True) if count > 1]
    single = [case for case, count in zip(cases, counts, strict=True) if count == 1]
    if many and single:
        return draws.choice(single if draws.random() < SINGLE_ANSWER_SHARE else many)
    return draws.choice(many or single) if many or single else None


def _wrong_words(right: str, seen: set[str], known: Sequence[str], draws: Draws) -> list[str]:
    """Wrong words, those seen elsewhere in the image first: guessing from presence fails."""
    near, far = sorted(seen - {right}), sorted({*known} - seen - {right})
    ordered = draws.sample(near, k=len(near)) + draws.sample(far, k=len(far))
    return ordered[: MAX_OPTIONS - 1]
