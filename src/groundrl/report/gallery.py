"""Cards of answers: image, boxes and reasoning; a phrase lights up together with its box."""

import html
import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from PIL import Image

from groundrl.errors import UserError
from groundrl.records import Grounding
from groundrl.report.answers import RESULT, StageAnswer, pick_examples
from groundrl.report.parts import (
    HINT,
    MOST_BOXES,
    MOST_CHARACTERS,
    Size,
    box_layer,
    cut,
    facets,
    filters,
    image_frame,
    inline_jpeg,
)

IMAGE_SIDE = 400
"""Pixels of the longer side; smaller images are enlarged by the browser."""
CONTEXT_SIDE = 120
TAG = re.compile(r"(&lt;/?\w+&gt;)")
SHOWN_ELSEWHERE = frozenset({"correct", "box_iou"})


def gallery(run_dir: Path, stages: Sequence[Sequence[StageAnswer]]) -> str:
    """Filters and cards; empty without answers."""
    if not stages:
        return ""
    picks = pick_examples(stages)
    rows = [_facets(pick, answer) for pick, answer in picks]
    names = [answers[0].stage for answers in stages]
    choices = {key: sorted({row[key] for row in rows}) for key in rows[0]} | {"stage": names}
    cards = "".join(
        _card(run_dir, answer, row) for (_, answer), row in zip(picks, rows, strict=True)
    )
    total = sum(map(len, stages))
    legend = '<span class="key">true</span> &nbsp; <span class="key said">predicted</span>'
    return (
        f"{filters(choices, pressed={'stage': names[-1]})}"
        '<p class="soft"><span id="count" data-of="answers"></span>; the worst and the best of '
        f'{total} &nbsp; {legend} &nbsp; {HINT}</p><div class="gallery">{cards}</div>'
    )


def _facets(pick: str, answer: StageAnswer) -> dict[str, str]:
    """What a card can be filtered by."""
    return {
        "stage": answer.stage,
        "pick": pick,
        "result": answer.result,
        "set": answer.record.set,
        "kind": answer.record.kind,
    }


def _card(run_dir: Path, answer: StageAnswer, row: dict[str, str]) -> str:
    options = ", ".join(
        f"<b>{html.escape(option)}</b>" if option in answer.record.answers else html.escape(option)
        for option in answer.record.options or dict.fromkeys(answer.record.answers)
    )
    return (
        f'<article class="card" {facets(row)}>{_image_panels(run_dir, answer)}<div class="about">'
        f'<p class="question">{html.escape(cut(answer.record.question))}</p>'
        f'<p class="options">{options}</p>{_truth(answer.record.true)}'
        f'<p class="text" tabindex="0">{_text(answer)}</p>{_notes(answer)}</div></article>'
    )


def _notes(answer: StageAnswer) -> str:
    """The verdict, what it rests on, and which question it was."""
    figures = {"IoU": answer.record.iou} | {
        name.replace("_", " "): value
        for name, value in answer.record.scores.items()
        if name not in SHOWN_ELSEWHERE
    }
    texts = [f"{name} {value:.3g}" for name, value in figures.items() if value is not None]
    stage = "" if answer.stage == RESULT else answer.stage
    texts += [
        note for note in (stage, answer.record.set, answer.record.kind, answer.record.id) if note
    ]
    notes = "".join(f'<span class="chip">{html.escape(text)}</span>' for text in texts)
    verdict = f'<span class="chip {answer.result}">{answer.result}</span>'
    return f'<p class="chips">{verdict}{notes}</p>'


def _truth(true: Sequence[Grounding]) -> str:
    """The labels of the true boxes, each tied to its box."""
    phrases = [
        f'<span class="phrase true" tabindex="0" data-box="true{index}">'
        f"{html.escape(one.label or 'box')}</span>"
        for index, one in enumerate(true[:MOST_BOXES])
    ]
    more = f" and {len(true) - MOST_BOXES} more" if len(true) > MOST_BOXES else ""
    return f'<p class="options">true boxes: {" ".join(phrases)}{more}</p>' if true else ""


def _text(answer: StageAnswer) -> str:
    """The answer as it was written; each phrase with a box carries the box's number."""
    text, parts, position = answer.record.text, [], 0
    shown = zip(answer.record.predicted[:MOST_BOXES], answer.record.spans, strict=False)
    for index, (one, (start, end)) in enumerate(shown):
        if end > MOST_CHARACTERS:
            break
        parts.append(_plain(text[position:start]))
        head, label, tail = text[start:end].partition(one.label)
        parts.append(
            f'<span class="phrase" tabindex="0" data-box="said{index}"><sup>{index + 1}</sup>'
            f'<span class="tag">{html.escape(head)}</span><b>{html.escape(label)}</b>'
            f'<span class="tag">{html.escape(tail)}</span></span>'
        )
        position = end
    rest = text[position : max(position, MOST_CHARACTERS)]
    left = len(text) - position - len(rest)
    more = f'<span class="tag"> … and {left:,} more characters</span>' if left else ""
    empty = '<span class="tag">(empty)</span>' if not text.strip() else ""
    return "".join(parts) + _plain(rest) + empty + more


def _plain(text: str) -> str:
    return TAG.sub(r'<span class="tag">\1</span>', html.escape(text, quote=False))


def _image_panels(run_dir: Path, answer: StageAnswer) -> str:
    """The image under its boxes, and what was shown after it. Where the run kept no image the
    boxes stand on an empty sheet; without boxes there is nothing to show."""
    first, *context = answer.record.images
    found = _read(run_dir, first, answer, IMAGE_SIDE)
    more = [_read(run_dir, name, answer, CONTEXT_SIDE) for name in context]
    small = "".join(f'<img alt="further image" src="{one[0]}">' for one in more if one)
    strip = f'<div class="context">{small}</div>' if small else ""
    boxes = [*answer.record.true, *answer.record.predicted[:MOST_BOXES]]
    if found is not None:
        source, size = found
        inside = f'<img width="{size[0]}" height="{size[1]}" alt="" src="{source}">'
    elif boxes:
        size = _reach(one.box.x2 for one in boxes), _reach(one.box.y2 for one in boxes)
        inside = '<span class="absent">the image is not here</span>'
    else:
        return strip
    groups = (("true", answer.record.true), ("said", answer.record.predicted))
    drawn = [
        _box(kind, index, one, size)
        for kind, group in groups
        for index, one in enumerate(group[:MOST_BOXES])
    ]
    return image_frame(inside, drawn, size) + strip


def _reach(ends: Iterable[float]) -> int:
    return max(1, *map(round, ends))


def _box(kind: str, index: int, one: Grounding, size: Size) -> tuple[float, str]:
    true = kind == "true"
    name = f"{'true' if true else 'predicted'} box: {one.label}"
    number = None if true else index + 1
    return box_layer(kind, f"{kind}{index}", name, one.box, size, number)


def _read(run_dir: Path, name: str, answer: StageAnswer, side: int) -> tuple[str, Size] | None:
    """An image as an inline JPEG, and its size before shrinking; None when it is not there."""
    file = Path(os.path.normpath(run_dir / name))
    if not file.is_relative_to(os.path.normpath(run_dir)):
        raise UserError(
            f"answer {answer.record.id!r} names the image {name!r}, outside {run_dir}: "
            "images of a report stand in its run directory"
        )
    if not file.is_file():
        return None
    with Image.open(file) as image:
        return inline_jpeg(image, side), image.size
