"""An annotated picture -> its samples, and the row that tells where all of it comes from."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from groundrl.errors import UserError
from groundrl.identity import named
from groundrl.records import Grounding, Provenance, Sample
from groundrl.synthesis.annotate import Annotator
from groundrl.synthesis.base import Licensed
from groundrl.synthesis.codec import annotated_row, box_row, digest_of
from groundrl.synthesis.follows import follows
from groundrl.synthesis.merge import Merged, merge
from groundrl.synthesis.questions import KINDS, boxes_of, check_kinds, draft, sample_of
from groundrl.synthesis.reading import read, split_label
from groundrl.synthesis.records import Annotated, Picture


@dataclass(frozen=True, slots=True, kw_only=True)
class Questions:
    """What is asked, and who is held out."""

    kinds: Sequence[str] = KINDS
    """At most one question of each about a picture."""
    heldout_share: float = 0.1
    """Of pictures, not of questions; equal pixels are held out together."""
    seed: int = 0

    def __post_init__(self) -> None:
        check_kinds(self.kinds)
        if not 0 <= self.heldout_share < 1:
            raise UserError(
                f"questions.heldout_share={self.heldout_share}: type a share from 0 to below 1"
            )

    def split(self, picture: Picture) -> str:
        """Of a picture, by its pixels alone."""
        drawn = int(digest_of(picture.digest)[:12], 16) / 16**12
        return "heldout" if drawn < self.heldout_share else "train"


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """A picture as it is written down."""

    split: str
    samples: tuple[Sample, ...]
    dropped: tuple[str, ...]
    """Kinds of question whose answer does not follow from the boxes."""
    record: dict[str, Any]
    """One line of ``pictures.jsonl``."""


def written(
    annotated: Annotated, annotator: Annotator, questions: Questions, source: Provenance
) -> Written:
    """Merge, ask and check."""
    picture, merged = annotated.picture, merge(annotated)
    split = questions.split(picture)
    detector = annotator.detector
    own = detector.licence_of(picture) if isinstance(detector, Licensed) else None
    licence = source.licence if own is None else own
    provenance = Provenance(dataset=source.dataset, split=split, licence=licence)
    # Named in a caption that was kept, it may well be there.
    nouns = {name: split_label(name)[1] for name in annotator.detector.vocabulary}
    said = " ".join(c.text or "" for c in (annotated.whole, *annotated.branches))
    named = {mention.noun for mention in read(said, nouns.values()).mentions}
    vocabulary = [name for name, noun in nouns.items() if noun not in named]
    boxes = boxes_of(merged, picture, vocabulary)
    samples: list[Sample] = []
    dropped: list[str] = []
    for kind in questions.kinds:
        rng = random.Random(f"{questions.seed}/{picture.digest}/{kind}")
        one = draft(kind, merged, boxes, rng)
        if one is not None:
            sample = sample_of(one, kind, picture, provenance)
            if follows(sample, one.claim, merged):
                samples.append(sample)
            else:
                dropped.append(kind)
    record = {
        "id": picture.id,
        "digest": picture.digest,
        "split": split,
        "licence": licence,
        "made_by": made_by(annotator, questions),
        **annotated_row(annotated),
        "merged": merged_row(merged),
        "samples": [sample.id for sample in samples],
        "dropped": dropped,
    }
    return Written(split=split, samples=tuple(samples), dropped=tuple(dropped), record=record)


def made_by(annotator: Annotator, questions: Questions) -> dict[str, Any]:
    """Who found the regions, wrote the captions and gave the verdicts; who drew the questions."""
    verifier = annotator.verifier
    return {
        "regions": annotator.detector.name,
        "captions": annotator.teacher.name,
        "verdicts": None if verifier is None else verifier.name,
        "consistency": None if verifier is None else named("consistency", version=1),
        "merged": named("merge", version=1),
        "questions": named("questions", version=1, seed=questions.seed),
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
