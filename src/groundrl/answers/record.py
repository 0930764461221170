"""The record of one answer: a line of ``heldout_<stage>.jsonl`` and of ``predictions.jsonl``."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from groundrl.answers.attempt import Attempt
from groundrl.answers.notation import Notation
from groundrl.boxes import Frame, ImageSizes, matched_iou
from groundrl.data.problems import Problems
from groundrl.errors import UserError
from groundrl.fields import Fields
from groundrl.files import json_lines
from groundrl.records import (
    Completion,
    Grounding,
    ImageSource,
    NamedImage,
    Provenance,
    RolloutGroup,
    Sample,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerOrigin:
    """How an answer came about; None where nobody knows."""

    notation: Notation
    prompt: str | None = None
    """The text that the model was shown: question, options, instruction."""
    prompting: str | None = None
    """Which instructions it was given: prompting.py."""
    seed: int | None = None
    """What this answer was drawn from: ``Sampler.seed_of``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerRecord:
    """An answered question. Boxes are in the PIXEL frame; fields are named as in the file, but for
    ``boxes_true``, ``boxes_predicted``, ``spans_predicted`` and those of ``asking``."""

    set: str
    id: str
    kind: str
    question: str
    options: tuple[str, ...]
    answers: tuple[str, ...]
    """The right ones."""
    text: str
    tokens: tuple[int, ...]
    truncated: bool
    correct: bool | None
    """None for samples that ask for boxes only."""
    iou: float | None
    """None for samples without boxes."""
    scores: Mapping[str, float]
    """What a benchmark says of the answer; empty in training."""
    true: tuple[Grounding, ...]
    predicted: tuple[Grounding, ...]
    spans: tuple[tuple[int, int], ...]
    """Where ``text`` says each of ``predicted``."""
    image_key: str
    image_size: tuple[int, int]
    """Width and height; 0 when nobody knows."""
    model_size: tuple[int, int]
    images: tuple[str, ...]
    """Files below the run directory; boxes refer to the first."""
    asking: AnswerOrigin

    @property
    def sample(self) -> Sample:
        """The question as the record tells it; its image is known by name only."""
        width, height = self.image_size
        return Sample(
            id=self.id,
            image=NamedImage(key=self.image_key, width=width, height=height),
            question=self.question,
            options=self.options,
            answers=self.answers,
            groundings=self.true,
            kind=self.kind,
            provenance=Provenance(dataset=self.set, split="recorded"),
        )

    def group(self, sample: Sample) -> RolloutGroup:
        """The answer as it was sampled, as one to ``sample``."""
        width, height = self.model_size
        sizes = ImageSizes(
            width=sample.image.width,
            height=sample.image.height,
            model_width=width,
            model_height=height,
        )
        completion = Completion(
            text=self.text, tokens=self.tokens, logprobs=(), truncated=self.truncated
        )
        return RolloutGroup(sample=sample, sizes=sizes, completions=(completion,))

    @property
    def json(self) -> dict[str, object]:
        """The line."""
        return {
            "set": self.set,
            "id": self.id,
            "kind": self.kind,
            "question": self.question,
            "options": self.options,
            "answers": self.answers,
            "prompt": self.asking.prompt,
            "prompting": self.asking.prompting,
            "seed": self.asking.seed,
            "text": self.text,
            "tokens": self.tokens,
            "truncated": self.truncated,
            "correct": self.correct,
            "iou": self.iou,
            "scores": dict(self.scores),
            "boxes_true": [(one.label, one.box.corners) for one in self.true],
            "boxes_predicted": [
                (one.label, [round(value, 1) for value in one.box.corners])
                for one in self.predicted
            ],
            "spans_predicted": self.spans,
            "grammar": self.asking.notation.grammar.name,
            "frame": self.asking.notation.frame.value,
            "image_key": self.image_key,
            "image_size": self.image_size,
            "model_size": self.model_size,
            "images": self.images,
        }


def record_of(
    attempt: Attempt,
    set_name: str,
    correct: bool | None,
    asking: AnswerOrigin,
    scores: Mapping[str, float] | None = None,
) -> AnswerRecord:
    """What is kept of an answer."""
    sample, said = attempt.sample, attempt.parsed.groundings
    true = [grounding.box for grounding in sample.groundings]
    return AnswerRecord(
        set=set_name,
        id=sample.id,
        kind=sample.kind,
        question=sample.question,
        options=sample.options,
        answers=sample.answers,
        text=attempt.completion.text,
        tokens=attempt.completion.tokens,
        truncated=attempt.completion.truncated,
        correct=correct,
        iou=matched_iou([one.box for one in said], true) if true else None,
        scores=scores or {},
        true=sample.groundings,
        predicted=said,
        spans=attempt.parsed.spans,
        image_key=sample.image.key,
        image_size=(sample.image.width, sample.image.height),
        model_size=(attempt.sizes.model_width, attempt.sizes.model_height),
        images=tuple(image_file_name(image) for image in sample.images),
        asking=asking,
    )


def read_record(row: Any) -> AnswerRecord:
    """A line's value. Raises ValueError, or UserError for an unknown notation."""
    fields = Fields.of(row)
    record = AnswerRecord(
        set=fields.text("set"),
        id=fields.text("id"),
        kind=fields.text("kind"),
        question=fields.text("question"),
        options=fields.texts("options"),
        answers=fields.texts("answers"),
        text=fields.text("text"),
        tokens=tuple(fields.wholes("tokens")),
        truncated=fields.flag("truncated"),
        correct=fields.flag("correct") if fields["correct"] is not None else None,
        iou=fields.number("iou") if fields["iou"] is not None else None,
        scores=fields.numbers("scores"),
        true=fields.groundings("boxes_true"),
        predicted=fields.groundings("boxes_predicted"),
        spans=fields.spans("spans_predicted"),
        image_key=fields.text("image_key"),
        image_size=fields.size("image_size"),
        model_size=fields.size("model_size"),
        images=fields.texts("images"),
        asking=AnswerOrigin(
            notation=Notation.of(fields.text("grammar"), fields.text("frame")),
            prompt=fields.text("prompt") if fields["prompt"] is not None else None,
            prompting=fields.text("prompting") if fields["prompting"] is not None else None,
            seed=fields.whole("seed") if fields["seed"] is not None else None,
        ),
    )
    frame = record.asking.notation.frame
    extent = record.group(record.sample).sizes.extent(frame)
    if frame is not Frame.PIXEL and min(*record.image_size, *extent) <= 0:
        raise ValueError(f"image_size and model_size must tell what {frame} means")
    return record


def read_records(path: Path, content: bytes, problems: Problems) -> list[AnswerRecord]:
    """The records of a file's lines; what is none is noted with its line."""
    found = []
    for where, row in json_lines(path, content):
        try:
            if isinstance(row, ValueError):
                raise row
            found.append(read_record(row))
        except (ValueError, UserError) as error:
            problems.add(where, f"no answer record ({error})")
    return found


def read_record_file(path: Path) -> list[AnswerRecord]:
    """The records of a file. Raises UserError that lists every broken line."""
    problems = Problems(str(path))
    found = read_records(path, path.read_bytes(), problems)
    problems.raise_if_any()
    return found


def save_images(sample: Sample, run_dir: Path) -> None:
    """Writes each image once, where a record says that it is."""
    for image in sample.images:
        path = run_dir / image_file_name(image)
        if not path.exists():
            path.parent.mkdir(exist_ok=True)
            image.load().save(path, quality=90)


def image_file_name(image: ImageSource) -> str:
    """Where a run directory keeps the image."""
    digest = hashlib.blake2b(image.key.encode(), digest_size=8).hexdigest()
    return f"images/{digest}.jpg"
