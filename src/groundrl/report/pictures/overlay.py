"""Boxes drawn on images: true boxes in green, predicted boxes in magenta."""

from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFont

from groundrl.boxes import Frame, FrameMismatchError
from groundrl.records import Grounding

TRUE, PREDICTED = "#12a150", "#d6219c"
"""Apart in hue and in lightness, so also for the colour-blind; the HTML pages use them too."""
BRIGHT = {TRUE: "#35e884", PREDICTED: "#ff4fc8"}
"""Colours of the lines, which are brighter than the label plates: a thin line needs more light."""
CASING = (0, 0, 0, 110)
"""A shadow on both sides of every line, so that the line is visible on any image."""
ENLARGED_SIDE = 480
"""Images are enlarged by the whole factor that brings the longer side nearest to this."""

Rectangle = tuple[int | float, int | float, int | float, int | float]
Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


@dataclass(frozen=True, slots=True, kw_only=True)
class BoxStyle:
    """How one kind of box is drawn, in pixels of the finished image."""

    color: str
    line: int
    font: Font


def overlay(
    image: Image.Image,
    true: Sequence[Grounding],
    predicted: Sequence[Grounding],
    side: int | None = None,
) -> Image.Image:
    """``image`` with boxes and labels, its longer side ``side`` pixels long.

    Without ``side`` small images are enlarged by a whole factor (160 becomes 480) and others
    keep their size. Boxes may reach beyond the image; a blank label is not drawn. Raises
    FrameMismatchError unless all boxes are in the PIXEL frame.
    """
    _check_frames((*true, *predicted))
    longest = max(image.size)
    wanted = side if side is not None else longest * max(1, round(ENLARGED_SIDE / longest))
    scale = wanted / longest
    size = max(1, round(image.width * scale)), max(1, round(image.height * scale))
    page = image.convert("RGB").resize(size, Image.Resampling.LANCZOS)
    # "RGBA" makes the casing transparent.
    draw = ImageDraw.Draw(page, "RGBA")
    line = max(1, round(wanted / 300))
    font = ImageFont.load_default(size=max(11, round(wanted / 34)))
    drawn = [
        (grounding.label, _scale_box(grounding, scale, size), style)
        for groundings, style in (
            (true, BoxStyle(color=TRUE, line=line, font=font)),
            (predicted, BoxStyle(color=PREDICTED, line=line + 1, font=font)),
        )
        for grounding in groundings
    ]
    for _, place, style in drawn:
        _draw_outline(draw, place, style)
    taken: list[Rectangle] = []
    for label, place, style in drawn:
        if label.strip():
            taken.append(_draw_label(draw, label, place, style, taken, size))
    return page


def _check_frames(groundings: Sequence[Grounding]) -> None:
    for grounding in groundings:
        if grounding.box.frame is not Frame.PIXEL:
            raise FrameMismatchError(
                f"cannot draw a {grounding.box.frame} box ({grounding.label!r}): "
                "convert() it to the pixel frame first"
            )


def _scale_box(grounding: Grounding, scale: float, size: tuple[int, int]) -> Rectangle:
    """The box in pixels of the finished image, clipped to it."""
    (width, height), box = size, grounding.box
    return (
        min(max(box.x1 * scale, 0), width - 1),
        min(max(box.y1 * scale, 0), height - 1),
        min(max(box.x2 * scale - 1, 0), width - 1),
        min(max(box.y2 * scale - 1, 0), height - 1),
    )


def _draw_outline(draw: ImageDraw.ImageDraw, place: Rectangle, style: BoxStyle) -> None:
    """The line lies inside the box. A box without area still shows, as a dot or a line."""
    x1, y1, x2, y2 = place
    x2, y2 = max(x1, x2), max(y1, y2)
    draw.rectangle((x1 - 1, y1 - 1, x2 + 1, y2 + 1), outline=CASING, width=style.line + 2)
    draw.rectangle((x1, y1, x2, y2), outline=BRIGHT[style.color], width=style.line)


def _draw_label(
    draw: ImageDraw.ImageDraw,
    label: str,
    place: Rectangle,
    style: BoxStyle,
    taken: Sequence[Rectangle],
    size: tuple[int, int],
) -> Rectangle:
    """Write the label on a plate beside its box and return the plate: inside the image, and where
    it overlaps the ``taken`` plates least."""
    x1, y1, x2, y2 = place
    text = fit_text(" ".join(label.split()), style.font, size[0] - 8)
    wide = style.font.getlength(text) + 8
    high = (
        sum(style.font.getmetrics()) + 2 if isinstance(style.font, ImageFont.FreeTypeFont) else 13
    )
    places = [
        (left, top) for top in (y1 - high, y2 + 1, y1, y2 - high) for left in (x1, x2 + 1 - wide)
    ]
    plates = [(left, top, left + wide, top + high) for left, top in places]
    plates = [_move_inside(plate, size) for plate in plates]
    plate = min(plates, key=lambda one: sum(_overlap_area(one, other) for other in taken))
    draw.rectangle(plate, fill=style.color)
    draw.text((plate[0] + 4, plate[1] + 1), text, fill="#ffffff", font=style.font)
    return plate


def _move_inside(plate: Rectangle, size: tuple[int, int]) -> Rectangle:
    left, top, right, bottom = plate
    dx = min(0, size[0] - 1 - right) if left >= 0 else -left
    dy = min(0, size[1] - 1 - bottom) if top >= 0 else -top
    return left + dx, top + dy, right + dx, bottom + dy


def _overlap_area(a: Rectangle, b: Rectangle) -> int | float:
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    return max(0, width) * max(0, height)


def fit_text(text: str, font: Font, width: int | float) -> str:
    """``text``, cut with an ellipsis when it is wider than ``width`` pixels."""
    if font.getlength(text) <= width:
        return text
    length = len(text)
    while length and font.getlength(text[:length] + "…") > width:
        length -= 1
    return text[:length] + "…"
