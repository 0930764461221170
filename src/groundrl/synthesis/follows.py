"""Does the answer of a sample follow from the boxes that its reasoning points at?

Worked out anew from the finished sample and the objects that are known: a mistake of whoever wrote
the question, or a caption that the boxes deny, does not get into the data.
"""

import re
from typing import Final

from groundrl.boxes import Box
from groundrl.records import Grounding, Sample
from groundrl.scenes.relations import Relation
from groundrl.synthesis.merge import Merged
from groundrl.synthesis.placing import borne_out
from groundrl.synthesis.reading import COLOR_WORDS

_PLACED: Final = re.compile(
    r" (?:is|are) (left of|right of|above|below|in front of|behind) the $", re.IGNORECASE
)


def follows(sample: Sample, merged: Merged) -> bool:
    """Whether every box is a known object's and the answer is the one that they give."""
    known = {thing.region.box: thing for thing in merged.things}
    if any(item.box not in known for item in sample.groundings):
        return False
    things = [known[item.box] for item in sample.groundings]
    nouns = [thing.noun for thing in things]
    match sample.kind:
        case "count":
            of_class = [thing for thing in merged.things if thing.noun in nouns]
            return sample.answers == (str(len(things)),) and len(of_class) == len(things)
        case "exists":
            return sample.answers == ("yes" if things else "no",)
        case "color":
            return len(things) == 1 and sample.answers == (things[0].color,)
        case "relation" | "depth":
            return _placed(sample, merged) and sample.answers == (nouns[0],)
        case "multi":
            return _several(sample, merged, nouns)
        case "refer":
            label = sample.groundings[0].label
            return [thing.label for thing in merged.things].count(label) == 1
        case "describe":
            return _described(sample, merged)
        case _:
            return bool(things)


def _placed(sample: Sample, merged: Merged) -> bool:
    """ "A and B are left of the C": of each before the last, as the boxes have it."""
    *subjects, anchor = sample.groundings
    said = [_PLACED.search(part) for part in sample.rationale or () if isinstance(part, str)]
    found = [Relation(match[1]) for match in said if match]
    if len(found) != 1 or not subjects:
        return False
    boxes = [thing.region.box for thing in merged.things]

    def told(box: Box) -> bool | None:
        size = sample.image.width, sample.image.height
        return borne_out(found[0], box, anchor.box, boxes, *size)

    if found[0] in (Relation.BEHIND, Relation.IN_FRONT_OF):
        # Boxes do not show depth: a kept caption has said so, and they must not deny it.
        claim = (boxes.index(subjects[0].box), found[0], boxes.index(anchor.box))
        return claim in merged.relations and told(subjects[0].box) is not False
    return all(told(item.box) is True for item in subjects)


def _several(sample: Sample, merged: Merged, nouns: list[str]) -> bool:
    wrong = set(sample.options) - set(sample.answers)
    if sample.question.startswith("Which of these are in the picture"):
        present = {thing.noun for thing in merged.things}
        return set(sample.answers) == set(nouns) and not wrong & present
    return _placed(sample, merged) and set(sample.answers) == set(nouns[:-1])


def _described(sample: Sample, merged: Merged) -> bool:
    """Every phrase that points names the class of its box, and no colour but its own."""
    known = {thing.region.box: thing for thing in merged.things}
    things = [known[item.box] for item in sample.groundings]
    return all(_names(i, t.noun, t.color) for i, t in zip(sample.groundings, things, strict=True))


def _names(item: Grounding, noun: str, color: str | None) -> bool:
    label = item.label.lower()
    said = {COLOR_WORDS[word] for word in re.findall(r"[a-z]+", label) if word in COLOR_WORDS}
    return label.endswith(noun) and (color is None or said <= {color})
