"""The table and the page of one reward."""

from collections.abc import Sequence

from markupsafe import Markup

from groundrl.report.answers.text import split_text
from groundrl.report.page import load_templates
from groundrl.report.pictures.image_view import (
    MAX_BOXES,
    view_image,
    view_predicted_box,
    view_true_box,
)
from groundrl.report.tables import Table, to_text
from groundrl.rewards.explain.explanation import BoxPair, Explanation

TEMPLATES = load_templates("groundrl.rewards.explain")


def term_table(one: Explanation) -> Table:
    """One row per term, then the sum."""
    rows = [
        (
            term.name,
            f"{term.weight:g}",
            "" if term.value is None else f"{term.value:z.3f}",
            f"{term.adds:z.3f}",
            term.why,
        )
        for term in one.terms
    ]
    rows.append(("reward", "", "", f"{one.total:z.3f}", ""))
    return Table(columns=("term", "weight", "value", "adds", "why"), rows=tuple(rows))


def box_table(one: Explanation) -> Table:
    """One row per predicted box, then the true ones that none matches."""
    rows = tuple(
        (
            "" if pair.number is None else str(pair.number),
            "" if pair.predicted is None else pair.predicted.label,
            "missing" if pair.predicted is None else _corners(pair),
            "no partner" if pair.true is None else pair.true.label,
            f"{pair.iou:.2f}",
        )
        for pair in one.boxes[:MAX_BOXES]
    )
    return Table(columns=("box", "label", "x1, y1, x2, y2", "true box", "IoU"), rows=rows)


def failure_lines(one: Explanation) -> list[str]:
    """Each failure, with its place."""
    return [
        failure.reason
        if failure.start is None
        else f"{failure.reason}, at character {failure.start + 1}: {failure.excerpt!r}"
        for failure in one.failures
    ]


def answer_line(one: Explanation) -> str:
    """The answer as read, and the right one."""
    right = ", ".join(one.attempt.sample.answers) or "not known"
    verdict = {True: "right", False: "wrong", None: "not judged"}[one.correct]
    return f"{one.chosen} ({verdict}; true answer: {right})"


def to_terminal(one: Explanation) -> str:
    """All of it as text."""
    parts = [
        f"question  {one.attempt.sample.question}",
        f"answer    {answer_line(one)}",
        *(f"failure   {line}" for line in failure_lines(one)),
        "",
        to_text(term_table(one)),
    ]
    if one.boxes:
        parts += ["", to_text(box_table(one))]
    return "\n".join(parts)


def render_page(one: Explanation, image: Markup | None, facts: Sequence[str]) -> str:
    """The whole page; ``image``: a ``data:`` address, None where the image is not here."""
    attempt = one.attempt
    sample, parsed = attempt.sample, attempt.parsed
    size = max(sample.image.width, 1), max(sample.image.height, 1)
    boxes = [view_true_box(i, true, size) for i, true in enumerate(sample.groundings)]
    boxes += [
        view_predicted_box(i, pair.predicted, size, mark=f"{pair.number}: {pair.iou:.2f}")
        for i, pair in enumerate(one.boxes[:MAX_BOXES])
        if pair.predicted is not None
    ]
    return TEMPLATES.get_template("explain.html.jinja").render(
        title=f"Reward {one.total:z.3f}",
        facts=facts,
        sample=sample,
        image=view_image(image, size, boxes),
        text=split_text(attempt.completion.text, parsed.groundings, parsed.spans),
        answer=answer_line(one),
        verdict={True: "right", False: "wrong", None: ""}[one.correct],
        failures=failure_lines(one),
        terms=term_table(one),
        boxes=box_table(one),
        boxes_left=max(0, len(one.boxes) - MAX_BOXES),
    )


def _corners(pair: BoxPair) -> str:
    assert pair.predicted is not None
    return ", ".join(f"{value:.0f}" for value in pair.predicted.box.corners)
