"""Cards as images: wrapped text with colours, columns, frames."""

import re
from collections.abc import Sequence

from PIL import Image, ImageDraw, ImageFont

from groundrl.report.pictures.overlay import Font

COLUMN, GAP, MARGIN = 300, 18, 22
PAPER, CARD, EDGE = "#f4f4f1", "#ffffff", "#deded9"
INK, SOFT, GOOD, BAD = "#1c1e22", "#747a84", "#0d7a3c", "#b3261e"
MAX_LINES = 12
"""Of one text; longer completions are cut, so that the image keeps a readable size."""
PIECES = re.compile(r"(</?\w+>|\s+|[^\s<]+|<)")
MARKUP = re.compile(r"</?\w+>")

Styled = list[tuple[str, str]]
"""One line: (text, colour) pieces."""


def text_font(size: int) -> Font:
    """The font of all cards."""
    return ImageFont.load_default(size=size)


def wrap_text(text: str, font: Font, width: int = COLUMN) -> list[Styled]:
    """Lines at most ``width`` pixels wide, line breaks and markup kept, tags in a soft colour.

    More than ``MAX_LINES`` lines end in an ellipsis.
    """
    lines: list[Styled] = []
    for paragraph in text.strip().splitlines():
        lines.append([])
        used = 0.0
        for piece in _split_words(paragraph, font, width):
            wide = font.getlength(piece)
            if used + wide > width and lines[-1]:
                lines.append([])
                used = 0.0
            if piece.isspace() and not lines[-1]:
                continue
            lines[-1].append((piece, SOFT if MARKUP.fullmatch(piece) else INK))
            used += wide
        if len(lines) > MAX_LINES:
            return [*lines[:MAX_LINES], [("…", SOFT)]]
    return lines or [[("(empty)", SOFT)]]


def _split_words(paragraph: str, font: Font, width: int) -> list[str]:
    """Words, blanks and tags; a piece that is wider than a line is cut into pieces that fit."""
    pieces = []
    for found in PIECES.findall(paragraph):
        piece = found
        while piece and font.getlength(piece) > width:
            length = max(1, int(len(piece) * width / font.getlength(piece)) - 1)
            pieces.append(piece[:length])
            piece = piece[length:]
        if piece:
            pieces.append(piece)
    return pieces


def draw_text(lines: Sequence[Styled], size: int, width: int = COLUMN) -> Image.Image:
    """Lines of coloured text on white."""
    font, high = text_font(size), round(size * 1.42)
    panel = Image.new("RGB", (width, high * len(lines)), CARD)
    draw = ImageDraw.Draw(panel)
    for row, line in enumerate(lines):
        x = 0.0
        for text, color in line:
            draw.text((x, row * high), text, fill=color, font=font)
            x += font.getlength(text)
    return panel


def stack(images: Sequence[Image.Image], gap: int = 8) -> Image.Image:
    """One below the other, on white."""
    height = sum(image.height for image in images) + gap * (len(images) - 1)
    page = Image.new("RGB", (max(image.width for image in images), height), CARD)
    top = 0
    for image in images:
        page.paste(image, (0, top))
        top += image.height + gap
    return page


def side_by_side(images: Sequence[Image.Image]) -> Image.Image:
    """One column each, on white."""
    width = len(images) * (COLUMN + GAP) - GAP
    page = Image.new("RGB", (width, max(image.height for image in images)), CARD)
    for column, image in enumerate(images):
        page.paste(image, (column * (COLUMN + GAP), 0))
    return page


def add_frame(image: Image.Image) -> Image.Image:
    """A card: the image on white with a thin edge."""
    page = Image.new("RGB", (image.width + 2 * GAP, image.height + 2 * GAP), CARD)
    page.paste(image, (GAP, GAP))
    edge = (0, 0, page.width - 1, page.height - 1)
    ImageDraw.Draw(page).rectangle(edge, outline=EDGE)
    return page


def sheet_of(cards: Sequence[Image.Image]) -> Image.Image:
    """Cards one below the other on paper; an empty sheet without any."""
    width = max((card.width for card in cards), default=COLUMN) + 2 * MARGIN
    page = Image.new("RGB", (width, sum(c.height + GAP for c in cards) + 2 * MARGIN - GAP), PAPER)
    top = MARGIN
    for card in cards:
        page.paste(card, (MARGIN, top))
        top += card.height + GAP
    return page
