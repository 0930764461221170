"""An image of rollouts: question, completions with their boxes, rewards and advantages."""

from collections.abc import Sequence
from dataclasses import replace

from PIL import Image

from groundrl.records import Grounding, RolloutGroup, Sample, Score
from groundrl.report.pictures.drawing import (
    BAD,
    COLUMN,
    GAP,
    GOOD,
    INK,
    MAX_LINES,
    SOFT,
    Styled,
    add_frame,
    draw_text,
    sheet_of,
    side_by_side,
    stack,
    text_font,
    wrap_text,
)
from groundrl.report.pictures.overlay import PREDICTED, TRUE, fit_text, overlay

MAX_PROMPTS = 4


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
    return sheet_of(cards)


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
            draw_text(wrap_text(completion.text, text_font(13)), 13),
        ]
        drawn = overlay(image, unnamed, boxes, side=COLUMN)
        columns.append(stack([drawn, *lines]))
    question = wrap_text(group.sample.question, text_font(17), len(columns) * (COLUMN + GAP) - GAP)
    head = draw_text(question, 17, len(columns) * (COLUMN + GAP) - GAP)
    return add_frame(stack([head, side_by_side(columns)]))


def pick_ranks(count: int) -> list[int]:
    """Places of the best, a middle and the worst of ``count``, each once."""
    return sorted({0, count // 2, count - 1}) if count else []


def _draw_truth(image: Image.Image, sample: Sample) -> Image.Image:
    """The image with its true boxes, the options and the legend."""
    lines: list[Styled] = [[("true boxes", TRUE), ("   predicted boxes", PREDICTED)]]
    for option in sample.options or sample.answers:
        right = option in sample.answers
        shown = fit_text(option, text_font(13), COLUMN - 60)
        lines.append([(shown, INK if right else SOFT), *[("   right", GOOD)][: int(right)]])
    drawn = overlay(image, sample.groundings, (), side=COLUMN)
    return stack([drawn, draw_text(lines[:MAX_LINES], 13)])


def _draw_reward(score: Score, advantage: float) -> Image.Image:
    """Total and advantage, then the unweighted parts."""
    sign = GOOD if advantage > 0 else BAD if advantage < 0 else SOFT
    total = [[(f"{score.total:.2f}", INK), ("  reward   ", SOFT), (f"{advantage:+.2f}", sign)]]
    total[0].append(("  advantage", SOFT))
    parts = "   ".join(
        f"{name} n/a" if value is None else f"{name} {value:.2f}"
        for name, value in score.parts.items()
    )
    return stack([draw_text(total, 16), draw_text(wrap_text(parts, text_font(13)), 13)], gap=2)
