"""An annotated image -> its samples and its line of ``images.jsonl``."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from groundrl.cache_key import cache_key
from groundrl.detectors.base import HasLicences
from groundrl.detectors.records import InputImage
from groundrl.errors import UserError
from groundrl.language.reading import parse_caption, split_label
from groundrl.questions.draft import check_kinds, make_sample
from groundrl.questions.proof import is_proven
from groundrl.questions.sentences import Order
from groundrl.records import Grounding, Provenance, Sample
from groundrl.synthesis.annotate import Annotator
from groundrl.synthesis.annotations import CaptionedImage
from groundrl.synthesis.codec import digest_json, encode_box, encode_captioned_image
from groundrl.synthesis.merge import MergedImage, merge
from groundrl.synthesis.merged_questions import ASKERS, KINDS, known_merged


@dataclass(frozen=True, slots=True, kw_only=True)
class QuestionPlan:
    """Which questions are asked, and which images are held out."""

    kinds: Sequence[str] = KINDS
    """Kinds of question; at most one question of each kind per image."""
    heldout_share: float = 0.1
    """Fraction of the images; images with equal pixels are in the same split."""
    seed: int = 0
    rationale: Order = "look_first"
    """Whether the reasoning points before it concludes."""

    def __post_init__(self) -> None:
        check_kinds(self.kinds, ASKERS, "questions.kinds: ")
        if len({*self.kinds}) < len(self.kinds):
            raise UserError(
                f"questions.kinds: a kind is given twice; choose from {', '.join(ASKERS)}"
            )
        if not 0 <= self.heldout_share < 1:
            raise UserError(
                f"questions.heldout_share={self.heldout_share}: type a share from 0 to below 1"
            )

    def choose_split(self, image: InputImage) -> str:
        """ "train" or "heldout", a function of the pixels alone."""
        number = int(digest_json(image.digest)[:12], 16) / 16**12
        return "heldout" if number < self.heldout_share else "train"


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageSamples:
    """What a run writes about an image."""

    split: str
    samples: tuple[Sample, ...]
    dropped_kinds: tuple[str, ...]
    """Kinds of the questions that were dropped: their answers do not follow from the boxes."""
    record: dict[str, Any]
    """One line of ``images.jsonl``."""


def make_samples(
    annotated: CaptionedImage, annotator: Annotator, questions: QuestionPlan, source: Provenance
) -> ImageSamples:
    """Merge the captions of an image, write its questions, and drop those that boxes contradict."""
    image, merged = annotated.image, merge(annotated)
    split = questions.choose_split(image)
    detector = annotator.detector
    labelled = detector.find_licence(image) if isinstance(detector, HasLicences) else None
    licence = source.licence if labelled is None else labelled
    provenance = Provenance(dataset=source.dataset, split=split, licence=licence)
    # A class that a kept caption mentions may be there, although the detector did not find it.
    nouns = {name: split_label(name)[1] for name in detector.vocabulary}
    captions = (annotated.image_caption, *annotated.crop_captions)
    text = " ".join(caption.text or "" for caption in captions)
    named = {mention.noun for mention in parse_caption(text, nouns.values()).mentions}
    vocabulary = [name for name, noun in nouns.items() if noun not in named]
    known = known_merged(merged, image, vocabulary)
    samples: list[Sample] = []
    dropped: list[str] = []
    for kind in questions.kinds:
        rng = random.Random(f"{questions.seed}/{image.digest}/{kind}")
        draft = ASKERS[kind](known, rng)
        if draft is not None:
            sample = make_sample(
                draft,
                id=f"{image.id}:{kind}",
                image=image.source,
                kind=kind,
                provenance=provenance,
                order=questions.rationale,
            )
            if is_proven(sample, draft.claim, known):
                samples.append(sample)
            else:
                dropped.append(kind)
    record = {
        "id": image.id,
        "digest": image.digest,
        "split": split,
        "licence": licence,
        "made_by": list_components(annotator, questions),
        **encode_captioned_image(annotated),
        "merged": encode_merged(merged),
        "samples": [sample.id for sample in samples],
        "dropped": dropped,
    }
    return ImageSamples(
        split=split, samples=tuple(samples), dropped_kinds=tuple(dropped), record=record
    )


def list_components(annotator: Annotator, questions: QuestionPlan) -> dict[str, Any]:
    """The component behind each part of the data, with the settings that determine its results."""
    verifier = annotator.verifier
    return {
        "regions": annotator.detector.name,
        "captions": annotator.teacher.name,
        "verdicts": None if verifier is None else verifier.name,
        "consistency": None if verifier is None else cache_key("consistency", version=1),
        "merged": cache_key("merge", version=1),
        "questions": cache_key(
            "questions", version=3, seed=questions.seed, rationale=questions.rationale
        ),
    }


def encode_merged(merged: MergedImage) -> dict[str, Any]:
    """The merged caption, objects with attributes, and relations between indices of objects."""
    return {
        "caption": [
            {"label": part.label, "box": encode_box(part.box)}
            if isinstance(part, Grounding)
            else {"text": part}
            for part in merged.caption
        ],
        "objects": [
            {
                "label": thing.label,
                "class": thing.noun,
                "box": encode_box(thing.region.box),
                "score": thing.region.score,
                "attributes": {} if thing.color is None else {"color": thing.color},
                "caption": thing.caption,
            }
            for thing in merged.objects
        ],
        "relations": [
            {"subject": i, "relation": str(relation), "object": j}
            for i, relation, j in merged.relations
        ],
    }
