"""Questions about the images of a detection data set, which their boxes answer beyond doubt."""

import random
from collections.abc import Sequence
from typing import Final

from groundrl.data.detection.base import AnnotatedImage, DetectionSet, uncertain_classes
from groundrl.data.detection.classes import ClassOptions, name_classes
from groundrl.errors import UserError
from groundrl.questions.boxes import BOX_KINDS, known_from_boxes
from groundrl.questions.draft import check_kinds, make_sample
from groundrl.questions.known import KnownImage, KnownObject
from groundrl.questions.sentences import Order
from groundrl.records import Provenance, Sample

KINDS: Final = tuple(BOX_KINDS)
"""All kinds of question that boxes can answer."""


def known_annotations(image: AnnotatedImage, names: Sequence[str]) -> KnownImage:
    """What annotators who looked for the classes ``names`` drew."""
    return known_from_boxes(
        [
            KnownObject(index=i, noun=item.label, box=item.box)
            for i, item in enumerate(image.groundings)
        ],
        width=image.image.width,
        height=image.image.height,
        names=names,
        uncertain=uncertain_classes(image, names),
    )


def ask(
    image: AnnotatedImage,
    kind: str,
    detections: DetectionSet,
    seed: int,
    order: Order = "look_first",
) -> Sample | None:
    """The question of one kind about one image, a function of (seed, image id, kind); None where
    the boxes leave none without a second reading."""
    # Text seeds are digested by random.Random itself, equal in every process.
    rng = random.Random(f"{seed}/{image.id}/{kind}")
    draft = BOX_KINDS[kind](known_annotations(image, detections.names), rng)
    if draft is None:
        return None
    return make_sample(
        draft,
        id=f"{image.id}:{kind}",
        image=image.image,
        kind=kind,
        provenance=Provenance(dataset=detections.name, split=detections.split),
        order=order,
    )


def ask_all(
    detections: DetectionSet,
    *,
    seed: int,
    kinds: Sequence[str] = KINDS,
    order: Order = "look_first",
    classes: ClassOptions | None = None,
) -> list[Sample]:
    """At most one question of each kind about each image. Raises UserError: unknown kind, none
    found."""
    check_kinds(kinds, BOX_KINDS)
    detections = name_classes(detections, classes or ClassOptions())
    drawn = [
        ask(image, kind, detections, seed, order) for image in detections.images for kind in kinds
    ]
    samples = [sample for sample in drawn if sample is not None]
    if not samples:
        raise UserError(
            f"{detections.name}, split {detections.split}: the boxes answer no question of kind "
            f"{', '.join(kinds)}; add a kind from {', '.join(KINDS)}. {_describe(detections)}"
        )
    return samples


def _describe(detections: DetectionSet) -> str:
    """What there is to ask about."""
    names = detections.names
    unsure = sum(len(uncertain_classes(one, names)) == len(names) for one in detections.images)
    return (
        f"Its classes are {', '.join(names) or 'none'}; in {unsure} of {len(detections.images)} "
        "images all of them may be there undrawn (crowds, ignored regions)"
    )
