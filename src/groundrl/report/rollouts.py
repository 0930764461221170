"""An image of rollouts: question, completions with their boxes, rewards and advantages."""

import re
from collections.abc import Sequence
from dataclasses import replace

from PIL import Image, ImageDraw, ImageFont

from groundrl.records import Grounding, RolloutGroup, Sample, Score
from groundrl.report.overlay import PREDICTED, TRUE, Font, fit_text, overlay

MAX_PROMPTS = 4
COLUMN, GAP, MARGIN = 300, 18, 22
PAPER, CARD, EDGE = "#f4f4f1", "#ffffff", "#deded9"
INK, SOFT, GOOD, BAD = "#1c1e22", "#747a84", "#0d7a3c", "#b3261e"
MAX_LINES = 12
"""Of one text; longer completions are cut, so that the image keeps a readable size."""
PIECES = re.compile(r"(</?\w+>|\s+|[^\s<]+|<)")
MARKUP = re.compile(r"</?\w+>")

Styled = list[tuple[str, str]]
"""One line: (text, colour) pieces."""


def _font(size: int) -> Font:
    return ImageFont.load_default(size=size)


def rollout_sheet(
    groups: Sequence[RolloutGroup],
    scores: Sequence[Sequence[Score]],
    groundings: Sequence[Sequence[Sequence[Grounding]]],
    advantages: Sequence[Sequence[float]],
) -> Image.Image:
    """One card per prompt, the first ``MAX_PROMPTS``: the true boxes, then the best, a
    middle and the worst completion by total reward.

    All but ``groups`` are indexed [prompt][completion]; ``groundings`` are parsed from each
    completion, in the PIXEL frame, else FrameMismatchError. ValueError when the lengths differ.
    """
    rows = list(zip(groups, scores, groundings, advantages, strict=True))[:MAX_PROMPTS]
    cards = [_draw_card(*row) for row in rows]
    width = max((card.width for card in cards), default=COLUMN) + 2 * MARGIN
    page = Image.new("RGB", (width, sum(c.height + GAP for c in cards) + 2 * MARGIN - GAP), PAPER)
    top = MARGIN
    for card in cards:
        page.paste(card, (MARGIN, top))
        top += card.height + GAP
    return page


def _draw_card(
    group: RolloutGroup,
    scores: Sequence[Score],
    groundings: Sequence[Sequence[Grounding]],
    advantages: Sequence[float],
) -> Image.Image:
    """The question above, below it one column per image."""
    image = group.sample.image.load()
    columns = [_draw_truth(image, group.sample)]
    # The first column has the labels of the true boxes; more of them would hide predicted boxes.
    unnamed = [replace(grounding, label="") for grounding in group.sample.groundings]
    records = zip(group.completions, scores, groundings, advantages, strict=True)
    ranked = sorted(records, key=lambda record: -record[1].total)
    for place in pick_ranks(len(ranked)):
        completion, score, boxes, advantage = ranked[place]
        name = f"completion {place + 1} of {len(ranked)}"
        cut = [("no end within the token limit", BAD)] if completion.truncated else []
        lines = [
            draw_text([[(name, SOFT), *[("  ", SOFT)][: len(cut)], *cut]], 12),
            _draw_reward(score, advantage),
            draw_text(wrap_text(completion.text, _font(13)), 13),
        ]
        drawn = overlay(image, unnamed, boxes, side=COLUMN)
        columns.append(_stack([drawn, *lines]))
    question = wrap_text(group.sample.question, _font(17), len(columns) * (COLUMN + GAP) - GAP)
    head = draw_text(question, 17, len(columns) * (COLUMN + GAP) - GAP)
    return _add_frame(_stack([head, _side_by_side(columns)]))


def pick_ranks(count: int) -> list[int]:
    """Places of the best, a middle and the worst of ``count``, each once."""
    return sorted({0, count // 2, count - 1}) if count else []


def _draw_truth(image: Image.Image, sample: Sample) -> Image.Image:
    """The image with its true boxes, the options and the legend."""
    lines: list[Styled] = [[("true boxes", TRUE), ("   predicted boxes", PREDICTED)]]
    for option in sample.options or sample.answers:
        right = option in sample.answers
        shown = fit_text(option, _font(13), COLUMN - 60)
        lines.append([(shown, INK if right else SOFT), *[("   right", GOOD)][: int(right)]])
    drawn = overlay(image, sample.groundings, (), side=COLUMN)
    return _stack([drawn, draw_text(lines[:MAX_LINES], 13)])


def _draw_reward(score: Score, advantage: float) -> Image.Image:
    """Total and advantage, then the unweighted parts."""
    sign = GOOD if advantage > 0 else BAD if advantage < 0 else SOFT
    total = [[(f"{score.total:.2f}", INK), ("  reward   ", SOFT), (f"{advantage:+.2f}", sign)]]
    total[0].append(("  advantage", SOFT))
    parts = "   ".join(
        f"{name} n/a" if value is None else f"{name} {value:.2f}"
        for name, value in score.parts.items()
    )
    return _stack([draw_text(total, 16), draw_text(wrap_text(parts, _font(13)), 13)], gap=2)


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
    font, high = _font(size), round(size * 1.42)
    panel = Image.new("RGB", (width, high * len(lines)), CARD)
    draw = ImageDraw.Draw(panel)
    for row, line in enumerate(lines):
        x = 0.0
        for text, color in line:
            draw.text((x, row * high), text, fill=color, font=font)
            x += font.getlength(text)
    return panel


def _stack(images: Sequence[Image.Image], gap: int = 8) -> Image.Image:
    height = sum(image.height for image in images) + gap * (len(images) - 1)
    page = Image.new("RGB", (max(image.width for image in images), height), CARD)
    top = 0
    for image in images:
        page.paste(image, (0, top))
        top += image.height + gap
    return page


def _side_by_side(images: Sequence[Image.Image]) -> Image.Image:
    width = len(images) * (COLUMN + GAP) - GAP
    page = Image.new("RGB", (width, max(image.height for image in images)), CARD)
    for column, image in enumerate(images):
        page.paste(image, (column * (COLUMN + GAP), 0))
    return page


def _add_frame(image: Image.Image) -> Image.Image:
    page = Image.new("RGB", (image.width + 2 * GAP, image.height + 2 * GAP), CARD)
    page.paste(image, (GAP, GAP))
    edge = (0, 0, page.width - 1, page.height - 1)
    ImageDraw.Draw(page).rectangle(edge, outline=EDGE)
    return page
