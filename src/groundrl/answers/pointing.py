"""Which true object does a phrase with a box point at?"""

from collections.abc import Sequence
from typing import Final

from groundrl.boxes import iou
from groundrl.language.words import fold_case
from groundrl.records import Grounding

POINTS_AT: Final = 0.5
"""Least IoU of a phrase's box with the box of the object that it points at."""


def true_object(phrase: Grounding, true: Sequence[Grounding]) -> Grounding | None:
    """The object of ``true`` that the phrase overlaps most, from an IoU of ``POINTS_AT`` on, else
    None.

    Where objects have the phrase's label, only those count, and next those with its last word: the
    "cup" is not the vase, wherever its box is. Where none has, labels are not compared, since words
    of an open vocabulary differ.
    """
    named: Sequence[Grounding] = true
    for key in (fold_case, _last_word):
        if same := [one for one in true if key(one.label) == key(phrase.label)]:
            named = same
            break
    best = max(named, key=lambda one: iou(phrase.box, one.box), default=None)
    return None if best is None or iou(phrase.box, best.box) < POINTS_AT else best


def _last_word(label: str) -> str:
    return fold_case(label).split()[-1] if label.split() else ""
