"""An answer as text for a terminal, as JSON, and as a picture with boxes."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from groundrl.answers.attempt import Attempt
from groundrl.ask.question import is_control
from groundrl.boxes import Box
from groundrl.files import printable, replace_file
from groundrl.records import ImageFile, Segments
from groundrl.report.pictures.overlay import overlay
from groundrl.report.tables import Table, to_text


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """A picture, and what the model says about it."""

    image: ImageFile
    attempt: Attempt
    picture: Path | None
    """Where the picture with boxes is; None for an answer without boxes."""


def name_pictures(folder: Path, images: Sequence[ImageFile]) -> Iterator[Path]:
    """``<name>.boxes.png`` in ``folder`` for each image; of equal names the later are numbered."""
    taken: set[str] = set()
    for image in images:
        stem, number = image.path.stem, 1
        name = f"{stem}.boxes.png"
        while name in taken:
            number += 1
            name = f"{stem}.{number}.boxes.png"
        taken.add(name)
        yield folder / name


def draw_answer(image: ImageFile, attempt: Attempt, path: Path) -> Path | None:
    """Write the picture with its labelled boxes; None without boxes."""
    groundings = attempt.parsed.groundings
    if not groundings:
        return None
    drawn = overlay(image.load(), true=(), predicted=groundings)
    with replace_file(path) as partial:
        drawn.save(partial, "PNG")
    return path


def to_json(one: Answered) -> dict[str, Any]:
    """Boxes are x1, y1, x2, y2 in pixels of the upright image; they may reach beyond it."""
    attempt = one.attempt
    return {
        "image": printable(one.image.path),
        "width": one.image.width,
        "height": one.image.height,
        "question": attempt.sample.question,
        "answer": attempt.parsed.answer,
        "boxes": [
            {"label": item.label, "box": list(round_corners(item.box))}
            for item in attempt.parsed.groundings
        ],
        "text": attempt.completion.text,
        "truncated": attempt.completion.truncated,
        "failures": list(attempt.parsed.failures),
        "picture": None if one.picture is None else printable(one.picture),
    }


def to_terminal(one: Answered) -> str:
    """The answer, the reasoning without its boxes, the boxes in pixels, and the picture."""
    attempt = one.attempt
    parsed = attempt.parsed
    lines = [printable(one.image.path)]
    if parsed.answer is not None:
        lines.append(f"answer: {parsed.answer}")
    if parsed.reasoning:
        lines.append(plain_text(parsed.reasoning).strip())
    elif attempt.completion.text.strip() != parsed.answer:
        lines.append(attempt.completion.text.strip() or "(the model says nothing)")
    if attempt.completion.truncated:
        lines.append("(cut off: raise sampling.max_tokens)")
    lines += [f"({failure})" for failure in parsed.damaged]
    if parsed.groundings:
        rows = tuple(
            (item.label, *(f"{value:.1f}" for value in round_corners(item.box)))
            for item in parsed.groundings
        )
        lines.append(to_text(Table(columns=("box", "x1", "y1", "x2", "y2"), rows=rows)))
    if one.picture is not None:
        lines.append(printable(one.picture))
    return show_controls("\n".join(lines))


def plain_text(segments: Segments) -> str:
    """The text with labels in the places of boxes."""
    return "".join(part if isinstance(part, str) else part.label for part in segments)


def round_corners(box: Box) -> tuple[float, float, float, float]:
    """Corners to a tenth of a pixel."""
    x1, y1, x2, y2 = (round(value, 1) + 0.0 for value in box.corners)
    return x1, y1, x2, y2


def show_controls(text: str) -> str:
    """``text`` with U+FFFD for characters that would steer a terminal: a model writes anything."""
    return "".join("\ufffd" if is_control(c) else c for c in text)
