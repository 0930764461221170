"""The shape of a row of a sample file, and the sample that it describes."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

from pydantic import ConfigDict

from groundrl.boxes import Box, Frame
from groundrl.data.askable import box_problems, option_problems
from groundrl.data.detection.base import pixels_outside
from groundrl.json_rows import Corners
from groundrl.json_rows import SoundText as Text
from groundrl.records import Grounding, ImageFile, Provenance, Sample

ROUNDING: Final = 1e-3
"""Pixels a stored box may reach out of its image: what converting frames can add."""
_STRICT: Final = ConfigDict(extra="forbid")


@dataclass(frozen=True, slots=True, kw_only=True)
class _GroundingRow:
    __pydantic_config__ = _STRICT
    label: Text
    box: Corners
    """x1, y1, x2, y2 in pixels."""

    def __post_init__(self) -> None:
        self.grounding()

    def grounding(self) -> Grounding:
        """Raises ValueError for corners in the wrong order."""
        x1, y1, x2, y2 = self.box
        return Grounding(label=self.label, box=Box(x1=x1, y1=y1, x2=x2, y2=y2, frame=Frame.PIXEL))


@dataclass(frozen=True, slots=True, kw_only=True)
class _PieceRow:
    """A piece of a rationale: text, or a label with its box."""

    __pydantic_config__ = _STRICT
    text: Text | None = None
    label: Text | None = None
    box: Corners | None = None

    def __post_init__(self) -> None:
        self.piece()

    def piece(self) -> str | Grounding:
        """Raises ValueError unless it is either text or a grounding."""
        match self.text, self.label, self.box:
            case str() as text, None, None:
                return text
            case None, str() as label, tuple() as box:
                return _GroundingRow(label=label, box=box).grounding()
        raise ValueError("must hold either 'text', or 'label' and 'box'")


@dataclass(frozen=True, slots=True, kw_only=True)
class _ProvenanceRow:
    __pydantic_config__ = _STRICT
    dataset: Text
    split: Text
    licence: Text = "unknown"
    source: Text = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleRow:
    """A well-formed row; whether its images exist is not known yet."""

    __pydantic_config__ = _STRICT
    id: Text
    image: Text
    """Path from the file's folder."""
    question: Text
    provenance: _ProvenanceRow
    options: tuple[Text, ...] = ()
    answers: tuple[Text, ...] = ()
    groundings: tuple[_GroundingRow, ...] = ()
    rationale: tuple[_PieceRow, ...] | None = None
    kind: Text = "question"
    context_images: tuple[Text, ...] = ()
    """Further such paths."""

    def __post_init__(self) -> None:
        strange = [answer for answer in self.answers if answer not in self.options]
        if self.options and strange:
            raise ValueError(f"answer {strange[0]!r} is not among the options {list(self.options)}")
        for index, (before, piece) in enumerate(pairwise(self.rationale or ()), start=1):
            if before.text is not None and piece.text is not None:
                raise ValueError(f"rationale[{index}] is text that follows text: join the two")


def to_sample(row: SampleRow, images: Sequence[ImageFile]) -> Sample:
    """The sample. Raises ValueError for a box outside the first image or without area, and for an
    option that stands there twice."""
    image, *context_images = images
    groundings = tuple(item.grounding() for item in row.groundings)
    rationale = None if row.rationale is None else tuple(part.piece() for part in row.rationale)
    for item in (*groundings, *(p for p in rationale or () if isinstance(p, Grounding))):
        if pixels_outside(item.box, image) > ROUNDING:
            raise ValueError(
                f"box {list(item.box.corners)} of {item.label!r} lies outside the image of "
                f"{image.width} x {image.height} pixels"
            )
    origin = row.provenance
    sample = Sample(
        id=row.id,
        image=image,
        context_images=tuple(context_images),
        question=row.question,
        options=row.options,
        answers=row.answers,
        groundings=groundings,
        rationale=rationale,
        kind=row.kind,
        provenance=Provenance(
            dataset=origin.dataset,
            split=origin.split,
            licence=origin.licence,
            source=origin.source,
        ),
    )
    problems = [*option_problems(sample), *box_problems(sample)]
    if problems:
        raise ValueError("; ".join(problems))
    return sample


def without_nulls(value: Any) -> Any:
    """A JSON value without fields that are null: Parquet has all columns in every row."""
    if isinstance(value, dict):
        return {key: without_nulls(item) for key, item in value.items() if item is not None}
    return [without_nulls(item) for item in value] if isinstance(value, list) else value
