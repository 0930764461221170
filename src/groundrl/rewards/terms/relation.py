"""Do the boxes bear out the spatial relations that the reasoning states?"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import ClassVar

from groundrl.answers.attempt import Attempt
from groundrl.answers.pointing import true_object
from groundrl.answers.stated_relations import ObjectRelation, read_relations
from groundrl.boxes import Box
from groundrl.questions.box_relations import agrees
from groundrl.records import Grounding

MOST_STATED = 32
"""Relations of one completion that are looked at, the first ones."""


@dataclass(frozen=True, slots=True)
class SpatialRelation:
    """``stated relations that hold / stated relations that boxes decide``, in [0, 1].

    None where the reasoning states none that boxes decide. Stated are left of, right of, above,
    below, in front of and behind, and their denial, between two phrases with boxes in one sentence
    (``read_relations``), each once. A relation holds where the boxes of the completion bear it out
    (``box_relations.agrees``: centres; for depth where both touch the ground). Where true boxes are
    known, both phrases must also point at two of these objects (``true_object``), and the true
    boxes must not deny it: moving boxes to fit the words does not pay. Source: ours; the question
    is one that ViGoR (arXiv 2402.06118) leaves open.
    Of what true reasoning about the embedded world states, all of 2320 sides and 98.5 % of 1104
    decided depths hold: what stands on something that is not pointed at seems farther away.
    Games it: stating one sure relation that answers nothing, or none rather than a wrong one; where
    true boxes are unknown, boxes that fit the words.
    """

    needs: ClassVar[frozenset[str]] = frozenset()
    measures: ClassVar[frozenset[str]] = frozenset({"relations"})
    weight: float = 1.0

    def __call__(self, attempt: Attempt) -> float | None:
        """See the class."""
        stated = islice(read_relations(attempt.parsed.reasoning), MOST_STATED)
        verdicts = [_holds(one, attempt) for one in dict.fromkeys(stated)]
        decided = [verdict for verdict in verdicts if verdict is not None]
        return sum(decided) / len(decided) if decided else None


def _holds(stated: ObjectRelation, attempt: Attempt) -> bool | None:
    """Whether boxes bear out the relation; None where they do not decide it."""
    true = attempt.sample.groundings
    verdicts = [_agrees(stated, stated.subject, stated.object, attempt.predicted_boxes, attempt)]
    if true:
        subject, object_ = (true_object(one, true) for one in (stated.subject, stated.object))
        if subject is None or object_ is None or subject is object_:
            return False
        boxes = [one.box for one in true]
        verdicts.append(_agrees(stated, subject, object_, boxes, attempt))
    decided = [verdict for verdict in verdicts if verdict is not None]
    return all(decided) if decided else None


def _agrees(
    stated: ObjectRelation,
    subject: Grounding,
    object_: Grounding,
    boxes: Sequence[Box],
    attempt: Attempt,
) -> bool | None:
    image = attempt.sample.image
    found = agrees(stated.relation, subject.box, object_.box, boxes, image.width, image.height)
    return None if found is None else found is not stated.denied
