"""An annotated image -> its samples, and the row that tells where all of it comes from."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from groundrl.cache_key import cache_key
from groundrl.detectors.base import HasLicences
from groundrl.detectors.records import InputImage
from groundrl.errors import UserError
from groundrl.records import Grounding, Provenance, Sample
from groundrl.synthesis.annotate import Annotator
from groundrl.synthesis.annotations import AnnotatedInput
from groundrl.synthesis.codec import annotated_row, box_row, digest_of
from groundrl.synthesis.follows import follows
from groundrl.synthesis.merge import Merged, merge
from groundrl.synthesis.questions import KINDS, boxes_of, check_kinds, draft, sample_of
from groundrl.synthesis.reading import parse_caption, split_label


@dataclass(frozen=True, slots=True, kw_only=True)
class QuestionPlan:
    """What is asked, and who is held out."""

    kinds: Sequence[str] = KINDS
    """At most one question of each about an image."""
    heldout_share: float = 0.1
    """Of images, not of questions; equal pixels are held out together."""
    seed: int = 0

    def __post_init__(self) -> None:
        check_kinds(self.kinds)
        if not 0 <= self.heldout_share < 1:
            raise UserError(
                f"questions.heldout_share={self.heldout_share}: type a share from 0 to below 1"
            )

    def split(self, image: InputImage) -> str:
        """Of an image, by its pixels alone."""
        drawn = int(digest_of(image.digest)[:12], 16) / 16**12
        return "heldout" if drawn < self.heldout_share else "train"


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageSamples:
    """An image as it is written down."""

    split: str
    samples: tuple[Sample, ...]
    dropped: tuple[str, ...]
    """Kinds of question whose answer does not follow from the boxes."""
    record: dict[str, Any]
    """One line of ``images.jsonl``."""


def make_samples(
    annotated: AnnotatedInput, annotator: Annotator, questions: QuestionPlan, source: Provenance
) -> ImageSamples:
    """Merge, ask and check."""
    image, merged = annotated.image, merge(annotated)
    split = questions.split(image)
    detector = annotator.detector
    own = detector.find_licence(image) if isinstance(detector, HasLicences) else None
    licence = source.licence if own is None else own
    provenance = Provenance(dataset=source.dataset, split=split, licence=licence)
    # Named in a caption that was kept, it may well be there.
    nouns = {name: split_label(name)[1] for name in annotator.detector.vocabulary}
    said = " ".join(c.text or "" for c in (annotated.whole, *annotated.branches))
    named = {mention.noun for mention in parse_caption(said, nouns.values()).mentions}
    vocabulary = [name for name, noun in nouns.items() if noun not in named]
    boxes = boxes_of(merged, image, vocabulary)
    samples: list[Sample] = []
    dropped: list[str] = []
    for kind in questions.kinds:
        rng = random.Random(f"{questions.seed}/{image.digest}/{kind}")
        one = draft(kind, merged, boxes, rng)
        if one is not None:
            sample = sample_of(one, kind, image, provenance)
            if follows(sample, one.claim, merged):
                samples.append(sample)
            else:
                dropped.append(kind)
    record = {
        "id": image.id,
        "digest": image.digest,
        "split": split,
        "licence": licence,
        "made_by": sources_of(annotator, questions),
        **annotated_row(annotated),
        "merged": merged_row(merged),
        "samples": [sample.id for sample in samples],
        "dropped": dropped,
    }
    return ImageSamples(split=split, samples=tuple(samples), dropped=tuple(dropped), record=record)


def sources_of(annotator: Annotator, questions: QuestionPlan) -> dict[str, Any]:
    """Who found the regions, wrote the captions and gave the verdicts; who drew the questions."""
    verifier = annotator.verifier
    return {
        "regions": annotator.detector.name,
        "captions": annotator.teacher.name,
        "verdicts": None if verifier is None else verifier.name,
        "consistency": None if verifier is None else cache_key("consistency", version=1),
        "merged": cache_key("merge", version=1),
        "questions": cache_key("questions", version=1, seed=questions.seed),
    }


def merged_row(merged: Merged) -> dict[str, Any]:
    """The linked caption, objects with attributes, relations between their indices."""
    return {
        "caption": [
            {"label": part.label, "box": box_row(part.box)}
            if isinstance(part, Grounding)
            else {"text": part}
            for part in merged.caption
        ],
        "objects": [
            {
                "label": thing.label,
                "class": thing.noun,
                "box": box_row(thing.region.box),
                "score": thing.region.score,
                "attributes": {} if thing.color is None else {"color": thing.color},
                "caption": thing.caption,
            }
            for thing in merged.things
        ],
        "relations": [
            {"subject": i, "relation": str(relation), "object": j}
            for i, relation, j in merged.relations
        ],
    }
