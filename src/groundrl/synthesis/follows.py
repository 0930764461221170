"""Does the answer of a sample follow from the boxes that its reasoning points at?

Worked out anew from the finished sample and the objects that are known: a mistake of whoever wrote
the question, or a caption that the boxes deny, does not get into the data.
"""

import re
from collections.abc import Sequence

from groundrl.data import claims
from groundrl.data.box_questions import placed
from groundrl.data.claims import (
    Beside,
    Claim,
    Colored,
    Count,
    Described,
    Exists,
    Further,
    Present,
    Where,
)
from groundrl.language.colors import COLOR_WORDS
from groundrl.language.words import fold_case
from groundrl.records import Grounding, Sample
from groundrl.relations import Relation
from groundrl.synthesis.merge import Merged, Thing
from groundrl.synthesis.placing import borne_out


def follows(sample: Sample, claim: Claim, merged: Merged) -> bool:
    """Whether the question asks for ``claim``, every phrase names the object in its box, and the
    boxes of all objects prove the answer."""
    things = [_pointed_at(item, merged) for item in sample.groundings]
    if sample.question != claim.question or None in things:
        return False
    return _proven(sample, claim, [thing for thing in things if thing is not None], merged)


def _proven(sample: Sample, claim: Claim, things: list[Thing], merged: Merged) -> bool:
    match claim:
        case Exists(noun=noun):
            answer = "yes" if _all(noun, merged) else "no"
            return sample.answers == (answer,) and _are_all(things, [noun], merged)
        case Count(noun=noun):
            return sample.answers == (str(len(things)),) and _are_all(things, [noun], merged)
        case Colored(noun=noun):
            right = [(thing.color,) for thing in things]
            return right == [sample.answers] and _are_all(things, [noun], merged)
        case Where():
            return not sample.answers and len(things) == 1 and _is_the(things[0], claim, merged)
        case Present():
            there = {thing.noun for thing in merged.things}
            return (
                {*sample.options} & there == {*sample.answers}
                and not {*sample.options} & merged.uncertain
                and _are_all(things, sample.answers, merged)
            )
        case Further(relation=relation, nouns=nouns):
            return sorted(nouns) == sorted(thing.noun for thing in things) and _stand(
                sample, things, relation, merged
            )
        case Beside(relation=relation, anchor=anchor):
            return (
                things[-1:] == _all(anchor, merged)
                and _stand(sample, things, relation, merged)
                and not any(
                    _holds(one, relation, things[-1], sample, merged)
                    for noun in {*sample.options} - {*sample.answers}
                    for one in _all(noun, merged)
                )
            )
        case Described():
            return bool(things) and not sample.answers


def _pointed_at(item: Grounding, merged: Merged) -> Thing | None:
    """The object in that box whose class the phrase names, with no colour but its own."""
    label = fold_case(item.label)
    for thing in merged.things:
        if thing.region.box == item.box and f" {label}".endswith(f" {thing.noun}"):
            words = re.findall(r"[a-z]+", label.removesuffix(thing.noun))
            said = {COLOR_WORDS[word] for word in words if word in COLOR_WORDS}
            if thing.color is None or said <= {thing.color}:
                return thing
    return None


def _all(noun: str, merged: Merged) -> list[Thing]:
    return [thing for thing in merged.things if thing.noun == noun]


def _are_all(things: Sequence[Thing], nouns: Sequence[str], merged: Merged) -> bool:
    """Whether they are all that there is of these classes, each once."""
    there = [thing for noun in nouns for thing in _all(noun, merged)]
    same = len(things) == len(there) and all(thing in things for thing in there)
    return same and not merged.uncertain & {*nouns}


def _is_the(thing: Thing, claim: Where, merged: Merged) -> bool:
    """Whether no other object of its class can be meant."""
    others = [other for other in _all(claim.noun, merged) if other is not thing]
    if thing.noun != claim.noun or claim.noun in merged.uncertain:
        return False
    x, area = thing.region.box.center[0], thing.region.box.area
    match claim.which:
        case "":
            return not others
        case claims.LEFTMOST:
            return bool(others) and all(x < other.region.box.center[0] for other in others)
        case claims.RIGHTMOST:
            return bool(others) and all(x > other.region.box.center[0] for other in others)
        case claims.LARGEST:
            return bool(others) and all(area > other.region.box.area for other in others)
        case color:
            # One whose colour nobody said may have this one.
            return thing.color == color and not any(
                other.color in (color, None) for other in others
            )


def _stand(sample: Sample, things: list[Thing], relation: Relation, merged: Merged) -> bool:
    """Whether those before the last are the answers and stand so to it, as the reasoning says."""
    *subjects, anchor = things
    unique = all(_are_all([thing], [thing.noun], merged) for thing in things)
    *pointing, last = sample.groundings
    return (
        bool(subjects)
        and unique
        and sorted(sample.answers) == sorted(thing.noun for thing in subjects)
        and sample.rationale == placed(pointing, relation, last)
        and all(_holds(thing, relation, anchor, sample, merged) for thing in subjects)
    )


def _holds(a: Thing, relation: Relation, b: Thing, sample: Sample, merged: Merged) -> bool:
    boxes = [thing.region.box for thing in merged.things]
    size = sample.image.width, sample.image.height
    told = borne_out(relation, a.region.box, b.region.box, boxes, *size)
    if relation in (Relation.BEHIND, Relation.IN_FRONT_OF):
        # Boxes do not show depth: a kept caption has said so, and they must not deny it.
        said = (merged.things.index(a), relation, merged.things.index(b)) in merged.relations
        return said and told is not False
    return told is True
