"""Kinds of question whose answer is a box: where something is, and a description.

Each returns None where the image leaves no such question with exactly one reading.
"""

from groundrl.language.words import plural, verb_be
from groundrl.questions.box_relations import extremes
from groundrl.questions.claims import Described, Where
from groundrl.questions.draft import Draft
from groundrl.questions.draws import Draws
from groundrl.questions.known import KnownImage
from groundrl.questions.references import Reference, relational_references, short_reference
from groundrl.questions.sentences import one_order, weave
from groundrl.questions.things import draw_of_styles
from groundrl.records import Grounding


def describe(image: KnownImage, draws: Draws, *, questions: tuple[str, ...]) -> Draft | None:
    """One of these questions; the answer is the caption of the image, if it points at something."""
    if not any(isinstance(part, Grounding) for part in image.caption):
        return None
    return Draft(
        claim=Described(question=draws.choice(questions)), rationale=one_order(image.caption)
    )


def locate(image: KnownImage, draws: Draws) -> Draft | None:
    """ "Where is the cup?", "Find the red cup.", "Find the object left of the lamp." """
    plain = [(o, name) for o in image.objects if (name := short_reference(o, image)) is not None]
    full = [(o, Reference(noun=o.noun, color=o.color)) for o in image.alone_in_color]
    related = [
        (o, reference) for o in image.objects for reference, _ in relational_references(o, image)
    ]
    found = draw_of_styles([plain, full, related], draws)
    if found is None:
        return None
    one, reference = found
    find = draws.choice((True, False))
    rationale = one_order(weave("Here is the ", image.phrase(one), "."))
    return Draft(claim=Where(what=reference, find=find), rationale=rationale)


def locate_by_boxes(image: KnownImage, draws: Draws) -> Draft | None:
    """ "Where is the dog?", "Where is the leftmost dog?", "Where is the largest dog?" """
    drafts = [
        Draft(
            claim=Where(what=Reference(noun=one.noun)),
            rationale=one_order(("The only ", image.phrase(one), f" {verb_be(one.noun)} here.")),
        )
        for one in image.unique
    ]
    for noun, objects in image.classes.items():
        boxes = [one.box for one in objects]
        for word, index in extremes(boxes, image.width, image.height).items():
            begin = f"Of the {len(objects)} {plural(noun)}, the {word} is this "
            claim = Where(what=Reference(noun=noun, extreme=word))
            rationale = one_order((begin, image.phrase(objects[index]), "."))
            drafts.append(Draft(claim=claim, rationale=rationale))
    return draws.choice(drafts) if drafts else None


def locate_by_color(image: KnownImage, draws: Draws) -> Draft | None:
    """ "Where is the red cup?" Among several cups, one of them red."""
    found = [one for one in image.alone_in_color if len(image.classes[one.noun]) > 1]
    if not found:
        return None
    one = draws.choice(found)
    claim = Where(what=Reference(noun=one.noun, color=one.color))
    return Draft(claim=claim, rationale=one_order(("Here is the ", one.grounding, ".")))
