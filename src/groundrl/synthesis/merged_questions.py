"""Questions about a merged image: those that boxes answer, and those that captions add."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Final

from groundrl.detectors.records import InputImage
from groundrl.language.colors import COLOR_WORDS
from groundrl.language.reading import split_label
from groundrl.questions.boxes import BOX_KINDS, known_from_boxes
from groundrl.questions.draft import Asker
from groundrl.questions.known import KnownImage, KnownObject
from groundrl.questions.places import DEPTHS, further
from groundrl.questions.pointing import describe, locate_by_color
from groundrl.questions.things import color
from groundrl.relations import CONVERSE, Relation
from groundrl.synthesis.merge import MergedImage

ASKERS: Final[dict[str, Asker]] = {
    **BOX_KINDS,
    "describe": partial(describe, questions=("Describe the picture.", "What is in the picture?")),
    "color": color,
    "refer": locate_by_color,
    "depth": partial(further, relations=DEPTHS),
}
"""A module adds a kind of its own as one more entry."""
KINDS: Final = tuple(ASKERS)
"""All kinds of question."""


def known_merged(merged: MergedImage, image: InputImage, vocabulary: Sequence[str]) -> KnownImage:
    """What boxes and accepted captions show; ``vocabulary`` are the labels that a detector looked
    for, of which those without an object are absent."""
    known = known_from_boxes(
        [
            KnownObject(index=i, noun=one.noun, color=one.color, box=one.region.box)
            for i, one in enumerate(merged.objects)
        ],
        width=image.source.width,
        height=image.source.height,
        names=tuple(dict.fromkeys(split_label(name)[1] for name in vocabulary)),
        uncertain=merged.uncertain,
    )
    stated = frozenset(merged.relations)

    def relation(a: KnownObject, relation: Relation, b: KnownObject) -> bool | None:
        if relation not in DEPTHS:
            return known.relation(a, relation, b)
        # Captions may contradict each other: "a is behind b", and elsewhere "b is behind a".
        contrary = {(b.index, relation, a.index), (a.index, CONVERSE[relation], b.index)}
        return True if (a.index, relation, b.index) in stated and not stated & contrary else None

    def proves(a: KnownObject, relation: Relation, b: KnownObject) -> bool | None:
        verdict = known.proves(a, relation, b)
        if relation not in DEPTHS:
            return verdict
        # Boxes do not show depth: an accepted caption states it, and they must not deny it.
        return (a.index, relation, b.index) in stated and verdict is not False

    return replace(
        known,
        relation=relation,
        proves=proves,
        caption=merged.caption,
        possible_colors=tuple(dict.fromkeys(COLOR_WORDS.values())),
    )
