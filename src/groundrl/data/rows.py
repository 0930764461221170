"""A row of a sample file, checked field by field."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from groundrl.boxes import Box, Frame
from groundrl.data.detection import pixels_outside
from groundrl.records import Grounding, ImageFile, Provenance, Sample, Segments

REQUIRED: Final = ("id", "image", "question", "provenance")
OPTIONAL: Final = ("options", "answers", "groundings", "rationale", "kind", "context_images")

ROUNDING: Final = 1e-3
"""Pixels a stored box may reach out of its image: what converting frames can add."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A well-formed row whose image has not been looked at yet."""

    id: str
    image: str
    """Path from the file's folder."""
    context_images: tuple[str, ...]
    """Further such paths."""
    question: str
    options: tuple[str, ...]
    answers: tuple[str, ...]
    groundings: tuple[Grounding, ...]
    rationale: Segments | None
    kind: str
    provenance: Provenance

    @classmethod
    def parse(cls, raw: object) -> "Row":
        """Raises ValueError that says which field is missing, unknown or of the wrong type."""
        values = _object(raw, "a row", REQUIRED, OPTIONAL)
        source = _object(values["provenance"], "provenance", ("dataset", "split"), ("licence",))
        groundings = [
            _grounding(item, f"groundings[{index}]")
            for index, item in enumerate(_items(values, "groundings"))
        ]
        row = cls(
            id=_text(values["id"], "id"),
            image=_text(values["image"], "image"),
            context_images=_texts(values, "context_images"),
            question=_text(values["question"], "question"),
            options=_texts(values, "options"),
            answers=_texts(values, "answers"),
            groundings=tuple(groundings),
            rationale=_rationale(values["rationale"]) if "rationale" in values else None,
            kind=_text(values.get("kind", "question"), "kind"),
            provenance=Provenance(
                dataset=_text(source["dataset"], "provenance.dataset"),
                split=_text(source["split"], "provenance.split"),
                licence=_text(source.get("licence", "unknown"), "provenance.licence"),
            ),
        )
        strange = [answer for answer in row.answers if row.options and answer not in row.options]
        if strange:
            raise ValueError(f"answer {strange[0]!r} is not among the options {list(row.options)}")
        return row


def from_row(row: Row, images: Sequence[ImageFile]) -> Sample:
    """The sample. Raises ValueError for a box outside the first image."""
    image, *context_images = images
    pointed = [part for part in row.rationale or () if isinstance(part, Grounding)]
    for item in (*row.groundings, *pointed):
        if pixels_outside(item.box, image) > ROUNDING:
            raise ValueError(
                f"box {list(item.box.corners)} of {item.label!r} lies outside the image of "
                f"{image.width} x {image.height} pixels"
            )
    return Sample(
        id=row.id,
        image=image,
        context_images=tuple(context_images),
        question=row.question,
        options=row.options,
        answers=row.answers,
        groundings=row.groundings,
        rationale=row.rationale,
        kind=row.kind,
        provenance=row.provenance,
    )


def _object(
    raw: object, what: str, required: tuple[str, ...], optional: tuple[str, ...]
) -> dict[str, Any]:
    """A JSON object with these fields and no others; null counts as left out, as in Parquet."""
    if not isinstance(raw, dict):
        raise ValueError(f"{what} must be an object, got {_quote(raw)}")
    values = {str(key): value for key, value in raw.items() if value is not None}
    if unknown := sorted(set(map(str, raw)) - set(required) - set(optional)):
        raise ValueError(
            f"unknown field {unknown[0]!r} in {what}; known: {', '.join(required + optional)}"
        )
    if missing := [name for name in required if name not in values]:
        raise ValueError(f"{what} lacks the field {missing[0]!r}")
    return values


def _text(value: object, name: str) -> str:
    if not isinstance(value, str):
        raise ValueError(f"field {name!r} must be text, got {_quote(value)}")
    return value


def _items(values: dict[str, Any], name: str) -> list[object]:
    items = values.get(name, [])
    if not isinstance(items, list):
        raise ValueError(f"field {name!r} must be a list, got {_quote(items)}")
    return items


def _texts(values: dict[str, Any], name: str) -> tuple[str, ...]:
    return tuple(_text(item, f"{name}[{index}]") for index, item in enumerate(_items(values, name)))


def _grounding(raw: object, name: str) -> Grounding:
    values = _object(raw, name, ("label", "box"), ())
    corners = values["box"]
    numbers = isinstance(corners, list) and all(
        isinstance(value, int | float) and not isinstance(value, bool) for value in corners
    )
    if not numbers or len(corners) != 4:
        raise ValueError(f"field '{name}.box' must be [x1, y1, x2, y2], got {_quote(corners)}")
    x1, y1, x2, y2 = map(float, corners)
    return Grounding(
        label=_text(values["label"], f"{name}.label"),
        box=Box(x1=x1, y1=y1, x2=x2, y2=y2, frame=Frame.PIXEL),
    )


def _rationale(raw: object) -> Segments:
    """Pieces of text and of pointing, in order."""
    pieces: list[str | Grounding] = []
    for index, item in enumerate(_items({"rationale": raw}, "rationale")):
        name = f"rationale[{index}]"
        values = _object(item, name, (), ("text", "label", "box"))
        if "text" not in values:
            pieces.append(_grounding(values, name))
        elif len(values) > 1:
            raise ValueError(f"{name} must hold either 'text', or 'label' and 'box'")
        elif pieces and isinstance(pieces[-1], str):
            raise ValueError(f"{name} is text that follows text: join the two")
        else:
            pieces.append(_text(values["text"], f"{name}.text"))
    return tuple(pieces)


def _quote(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
