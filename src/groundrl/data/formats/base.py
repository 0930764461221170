"""What a row holds, and the interface of the formats that read rows."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, runtime_checkable

from groundrl.boxes import Box, Frame
from groundrl.records import Grounding, Segments

UNNAMED = "object"
"""Label of a box that the file gives no name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RowContent:
    """A row as its file states it: images are not opened, boxes are in the frame of the file."""

    question: str
    """Without options and without marks for images."""
    images: tuple[object, ...]
    """A path, a data URL, bytes, or ``{"bytes": ..., "path": ...}`` each, in the order shown."""
    options: tuple[str, ...] = ()
    answers: tuple[str, ...] = ()
    """Texts of options, or the accepted words of an open question."""
    groundings: tuple[Grounding, ...] = ()
    """Each once."""
    rationale: Segments | None = None
    told: Segments = ()
    """The whole answer with its boxes, to be learned as a caption."""
    id: str | None = None
    left_out: tuple[str, ...] = ()
    """Parts of the row that are not used: "system message"."""


class UndeclaredFrameError(ValueError):
    """Boxes of which the file does not say what their numbers are measured in."""


def as_floats(values: Sequence[int | float]) -> list[float]:
    """Raises ValueError for a whole number that is beyond any float."""
    try:
        return [float(value) for value in values]
    except OverflowError:
        raise ValueError("a number of a box is too large") from None


def make_box(values: Sequence[int | float], frame: Frame | None) -> Box:
    """The box of four numbers. Raises ValueError, UndeclaredFrameError without a frame."""
    x1, y1, x2, y2 = as_floats(values)
    if frame is None:
        raise UndeclaredFrameError(f"box [{x1:g}, {y1:g}, {x2:g}, {y2:g}] has no frame")
    return Box(x1=x1, y1=y1, x2=x2, y2=y2, frame=frame)


class UnusableRowError(ValueError):
    """A row that asks nothing that a sample could ask: no image, a box in the question, a box
    without area."""


@runtime_checkable
class RowFormat(Protocol):
    """How rows are laid out. A class with these four members adds one."""

    form: ClassVar[str]
    """What its rows look like, for messages: "LLaVA rows (conversations of from and value)"."""

    def recognises(self, columns: Collection[str]) -> bool:
        """Whether rows with these columns have this form."""
        ...

    def roles(self, columns: Collection[str]) -> Mapping[str, str]:
        """What a row is made of -> the column that it is read from: question, answer, image."""
        ...

    def read(self, row: Mapping[str, Any], frame: Frame | None) -> RowContent:
        """The content of a row; boxes whose frame the format leaves open are in ``frame``.

        Raises ValueError that says what is wrong with the row; UndeclaredFrameError for boxes
        that need ``frame``.
        """
        ...


FRAMES = {
    Frame.PIXEL: "pixels of the image as it is stored",
    Frame.UNIT: "shares of width and height, 0 to 1",
    Frame.PERMILLE: "thousandths of width and height, 0 to 1000 (Qwen3-VL, InternVL)",
    Frame.MODEL: "pixels of the image as resized for the model (Qwen2.5-VL)",
}
"""Frame -> what its numbers are."""


def explain_frames() -> str:
    """What can be typed where boxes have no frame, one frame a line."""
    return "\n".join(f"  data.frame={frame}: {what}" for frame, what in FRAMES.items())
