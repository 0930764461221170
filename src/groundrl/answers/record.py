"""The record of one answer: a line of ``heldout_<stage>.jsonl`` and of ``predictions.jsonl``."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from groundrl.answers.attempt import Attempt
from groundrl.answers.notation import Notation
from groundrl.boxes import Box, Frame, ImageSizes, matched_iou
from groundrl.data.problems import Problems
from groundrl.errors import UserError
from groundrl.files import json_lines, replace_file
from groundrl.json_rows import Corners, Flag, Number, Text, Whole, validate
from groundrl.records import (
    Completion,
    Grounding,
    ImageSource,
    NamedImage,
    Provenance,
    RolloutGroup,
    Sample,
)

INVENTS_BELOW = 3
"""A score "rating" (0 to 6, MMHal-Bench) below it means: the answer invents something."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerOrigin:
    """How an answer came about; None: not known."""

    notation: Notation
    prompt: str | None = None
    """The text that the model was shown: question, options, instruction."""
    prompting: str | None = None
    """Which instructions it was given: prompting.py."""
    seed: int | None = None
    """Of this answer: ``Sampler.seed_of``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerRecord:
    """An answered question. Boxes are in the PIXEL frame; fields are named as in the file, but for
    ``boxes_true``, ``boxes_predicted``, ``spans_predicted`` and those of ``origin``."""

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
    """Of a benchmark for this answer; empty in training."""
    true: tuple[Grounding, ...]
    predicted: tuple[Grounding, ...]
    spans: tuple[tuple[int, int], ...]
    """Start and end in ``text`` of each of ``predicted``."""
    image_key: str
    image_size: tuple[int, int]
    """Width and height; 0: not known."""
    model_size: tuple[int, int]
    images: tuple[str, ...]
    """Files below the run directory; boxes refer to the first."""
    origin: AnswerOrigin

    @property
    def sample(self) -> Sample:
        """The question; its image is known by name only."""
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
        """The answer as a rollout for ``sample``."""
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
            "prompt": self.origin.prompt,
            "prompting": self.origin.prompting,
            "seed": self.origin.seed,
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
            "grammar": self.origin.notation.grammar.name,
            "frame": self.origin.notation.frame.value,
            "image_key": self.image_key,
            "image_size": self.image_size,
            "model_size": self.model_size,
            "images": self.images,
        }


def make_record(
    attempt: Attempt,
    set_name: str,
    correct: bool | None,
    origin: AnswerOrigin,
    scores: Mapping[str, float] | None = None,
) -> AnswerRecord:
    """The record of an answer; ``scores`` are a benchmark's."""
    sample, predicted = attempt.sample, attempt.parsed.groundings
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
        iou=matched_iou([one.box for one in predicted], true) if true else None,
        scores=scores or {},
        true=sample.groundings,
        predicted=predicted,
        spans=attempt.parsed.spans,
        image_key=sample.image.key,
        image_size=(sample.image.width, sample.image.height),
        model_size=(attempt.sizes.model_width, attempt.sizes.model_height),
        images=tuple(image_file_name(image) for image in sample.images),
        origin=origin,
    )


Size = tuple[Whole, Whole]
LabelledBox = tuple[Text, Corners]


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerRow:
    """Shape of a line."""

    set: Text
    id: Text
    kind: Text
    question: Text
    options: tuple[Text, ...]
    answers: tuple[Text, ...]
    prompt: Text | None
    prompting: Text | None
    seed: Whole | None
    text: Text
    tokens: tuple[Whole, ...]
    truncated: Flag
    correct: Flag | None
    iou: Number | None
    scores: dict[Text, Number]
    boxes_true: tuple[LabelledBox, ...]
    boxes_predicted: tuple[LabelledBox, ...]
    spans_predicted: tuple[tuple[Whole, Whole], ...]
    grammar: Text
    frame: Text
    image_key: Text
    image_size: Size
    model_size: Size
    images: tuple[Text, ...]


def read_record(value: object) -> AnswerRecord:
    """A line's value. Raises ValueError, or UserError for an unknown notation."""
    row = validate(AnswerRow, value)
    record = AnswerRecord(
        set=row.set,
        id=row.id,
        kind=row.kind,
        question=row.question,
        options=row.options,
        answers=row.answers,
        text=row.text,
        tokens=row.tokens,
        truncated=row.truncated,
        correct=row.correct,
        iou=row.iou,
        scores=row.scores,
        true=_groundings(row.boxes_true, "boxes_true"),
        predicted=_groundings(row.boxes_predicted, "boxes_predicted"),
        spans=row.spans_predicted,
        image_key=row.image_key,
        image_size=row.image_size,
        model_size=row.model_size,
        images=row.images,
        origin=AnswerOrigin(
            notation=Notation.of(row.grammar, row.frame),
            prompt=row.prompt,
            prompting=row.prompting,
            seed=row.seed,
        ),
    )
    frame = record.origin.notation.frame
    extent = record.group(record.sample).sizes.extent(frame)
    if frame is not Frame.PIXEL and min(*record.image_size, *extent) <= 0:
        raise ValueError(f"boxes in {frame} need image_size and model_size above 0")
    return record


def _groundings(pairs: Sequence[LabelledBox], name: str) -> tuple[Grounding, ...]:
    """In pixels. Raises ValueError for swapped corners."""
    found = []
    for index, (label, (x1, y1, x2, y2)) in enumerate(pairs):
        try:
            box = Box(x1=x1, y1=y1, x2=x2, y2=y2, frame=Frame.PIXEL)
        except ValueError as error:
            raise ValueError(f"{name}[{index}]: {error}") from error
        found.append(Grounding(label=label, box=box))
    return tuple(found)


def read_records(
    path: Path, content: bytes, problems: Problems
) -> Iterator[tuple[str, AnswerRecord]]:
    """The records of a file's lines, each with ``file:line``; every broken line is added to
    ``problems``."""
    for where, row in json_lines(path, content):
        try:
            if isinstance(row, ValueError):
                raise row
            record = read_record(row)
        except (ValueError, UserError) as error:
            problems.add(where, f"no answer record ({error})")
        else:
            yield where, record


def read_record_file(path: Path) -> list[AnswerRecord]:
    """The records of a file. Raises UserError that lists every broken line."""
    problems = Problems(str(path))
    found = [record for _, record in read_records(path, path.read_bytes(), problems)]
    problems.raise_if_any()
    return found


def save_images(sample: Sample, run_dir: Path) -> None:
    """Write each image to its place in the run directory, unless it is there."""
    for image in sample.images:
        path = run_dir / image_file_name(image)
        if not path.exists():  # a file there is whole
            with replace_file(path) as partial:
                image.load().save(partial, format="JPEG", quality=90)


def image_file_name(image: ImageSource) -> str:
    """Where a run directory keeps the image."""
    digest = hashlib.blake2b(image.key.encode(), digest_size=8).hexdigest()
    return f"images/{digest}.jpg"
