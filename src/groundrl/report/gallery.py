"""Answers of a model with their pictures: the worst and the best of each set, to filter by eye."""

import base64
import html
import io
import json
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from PIL import Image

from groundrl.boxes import Box, Frame
from groundrl.errors import UserError
from groundrl.records import Grounding
from groundrl.report.overlay import overlay
from groundrl.report.tables import number

WORST, BEST = 8, 8
"""Answers shown per set."""
PICTURE_SIDE, JPEG_QUALITY = 400, 80
TAG = re.compile(r"(&lt;/?\w+&gt;)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A line of ``heldout_<stage>.jsonl`` or ``predictions.jsonl``; boxes in the PIXEL frame."""

    stage: str
    set: str
    id: str
    kind: str
    """Empty when the file does not say."""
    question: str
    options: tuple[str, ...]
    answers: tuple[str, ...]
    text: str
    correct: bool | None
    """None for samples that ask for boxes only."""
    iou: float | None
    """None for samples without boxes."""
    true: tuple[Grounding, ...]
    predicted: tuple[Grounding, ...]
    image: str
    """Relative to the run directory."""

    @classmethod
    def of(cls, record: dict[str, Any], stage: str) -> "Answer":
        """Raises KeyError, TypeError or ValueError for a record of another shape."""
        if record["correct"] not in (True, False, None):
            raise ValueError(f"correct must be true, false or null, got {record['correct']!r}")
        iou = record["iou"]
        return cls(
            stage=stage,
            set=record["set"],
            id=str(record["id"]),
            kind=record.get("kind", ""),
            question=record["question"],
            options=tuple(record["options"]),
            answers=tuple(record["answers"]),
            text=record["text"],
            correct=record["correct"],
            iou=None if iou is None else float(iou),
            true=_groundings(record["boxes_true"]),
            predicted=_groundings(record["boxes_predicted"]),
            image=record["image"],
        )

    @property
    def quality(self) -> tuple[bool, float]:
        """Right answers above wrong ones, then by IoU."""
        return self.correct is not False, self.iou or 0.0

    @property
    def result(self) -> str:
        """In one word."""
        return {True: "right", False: "wrong", None: "boxes"}[self.correct]


def _groundings(pairs: list[Any]) -> tuple[Grounding, ...]:
    return tuple(
        Grounding(label=label, box=Box(x1=x1, y1=y1, x2=x2, y2=y2, frame=Frame.PIXEL))
        for label, corners in pairs
        for x1, y1, x2, y2 in [map(float, corners)]
    )


def read_answers(run_dir: Path, order: Sequence[str]) -> list[list[Answer]]:
    """The answers of each stage (each file), those named in ``order`` first, then by name.

    ``predictions.jsonl`` of an evaluation counts as the stage "result".

    Raises UserError, with file and line, on a line that is no answer record.
    """
    files = [*run_dir.glob("heldout_*.jsonl"), *run_dir.glob("predictions.jsonl")]
    stages = []
    names = {f: f.stem.removeprefix("heldout_").replace("predictions", "result") for f in files}
    places = {stage: place for place, stage in enumerate(order)}
    for file in sorted(files, key=lambda file: (places.get(names[file], len(places)), file)):
        stage = names[file]
        answers = []
        for line, text in enumerate(file.read_text().splitlines(), 1):
            try:
                answers.append(Answer.of(json.loads(text), stage))
            except (KeyError, TypeError, ValueError) as error:
                raise UserError(
                    f"{file}, line {line}: no answer record ({type(error).__name__}: {error}). "
                    "Delete the file to get the report without it."
                ) from error
        stages.append(answers)
    return [answers for answers in stages if answers]


def picked(stages: Sequence[Sequence[Answer]]) -> list[tuple[str, Answer]]:
    """("worst" or "best", answer): chosen by the last stage, then the same questions before it.

    Stages that share no question with the last one have their own worst and best.
    """
    chosen = _extremes(stages[-1])
    place = {(a.set, a.id): (rank, pick) for rank, (pick, a) in enumerate(chosen)}
    result = list(chosen)
    for answers in stages[-2::-1]:
        same = [a for a in answers if (a.set, a.id) in place]
        same.sort(key=lambda a: place[a.set, a.id][0])
        result += [(place[a.set, a.id][1], a) for a in same] or _extremes(answers)
    return result


def _extremes(answers: Sequence[Answer]) -> list[tuple[str, Answer]]:
    """Per set, from the worst up and then from the best down; nobody is in both."""
    picks: dict[str, list[tuple[str, Answer]]] = {"worst": [], "best": []}
    for _, group in groupby(sorted(answers, key=lambda a: a.set), key=lambda a: a.set):
        ranked = sorted(group, key=lambda a: a.quality)
        half = (len(ranked) + 1) // 2
        picks["worst"] += [("worst", a) for a in ranked[: min(WORST, half)]]
        picks["best"] += [("best", a) for a in ranked[half:][-BEST:][::-1]]
    return picks["worst"] + picks["best"]


def gallery(run_dir: Path, stages: Sequence[Sequence[Answer]]) -> str:
    """Filter buttons and cards; empty without answers."""
    if not stages:
        return ""
    picks = picked(stages)
    rows = [_facets(pick, answer) for pick, answer in picks]
    names = [answers[0].stage for answers in stages]
    filters = _buttons("stage", names, names[-1]) + "".join(
        _buttons(key, sorted({row[key] for row in rows}), "") for key in rows[0] if key != "stage"
    )
    cards = "".join(
        _card(run_dir, answer, facets) for (_, answer), facets in zip(picks, rows, strict=True)
    )
    legend = '<span class="key">true</span> &nbsp; <span class="key said">predicted</span>'
    return (
        f'<div class="filters">{filters}</div><p class="soft"><span id="count"></span> shown '
        f'&nbsp; {legend}</p><div class="gallery">{cards}</div>'
    )


def _facets(pick: str, answer: Answer) -> dict[str, str]:
    """What a card can be filtered by."""
    return {
        "stage": answer.stage,
        "pick": pick,
        "result": answer.result,
        "set": answer.set,
        "kind": answer.kind,
    }


def _buttons(key: str, values: list[str], pressed: str) -> str:
    """No buttons where there is nothing to choose."""
    if len(values) < 2:
        return ""
    buttons = "".join(
        f'<button data-key="{key}" data-value="{html.escape(value)}" '
        f'aria-pressed="{str(value == pressed).lower()}">{html.escape(value or "all")}</button>'
        for value in ["", *values]
    )
    return f'<div><span class="soft">{key}</span>{buttons}</div>'


def _card(run_dir: Path, answer: Answer, facets: dict[str, str]) -> str:
    data = " ".join(f'data-{key}="{html.escape(value)}"' for key, value in facets.items())
    options = ", ".join(
        f"<b>{html.escape(option)}</b>" if option in answer.answers else html.escape(option)
        for option in answer.options or answer.answers
    )
    iou = "" if answer.iou is None else f'<span class="chip">IoU {number(answer.iou)}</span>'
    notes = "".join(
        f'<span class="chip">{html.escape(note)}</span>'
        for note in (answer.stage, answer.set, answer.kind, answer.id)
        if note
    )
    text = TAG.sub(r'<span class="tag">\1</span>', html.escape(answer.text, quote=False))
    return (
        f'<article class="card" {data}>{_picture(run_dir, answer)}<div>'
        f'<p class="question">{html.escape(answer.question)}</p><p class="options">{options}</p>'
        f'<p class="text">{text}</p><p class="chips">'
        f'<span class="chip {answer.result}">{answer.result}</span>{iou}{notes}</p>'
        "</div></article>"
    )


def _picture(run_dir: Path, answer: Answer) -> str:
    """The picture with its boxes as inline JPEG; nothing when the run did not keep it."""
    file = Path(os.path.normpath(run_dir / answer.image))
    if not file.is_relative_to(os.path.normpath(run_dir)):
        raise UserError(
            f"answer {answer.id!r} names the picture {answer.image!r}, outside {run_dir}: "
            "pictures of a report stand in its run directory"
        )
    if not file.is_file():
        return ""
    with Image.open(file) as image:
        drawn = overlay(image, answer.true, answer.predicted, side=PICTURE_SIDE)
    buffer = io.BytesIO()
    drawn.save(buffer, "JPEG", quality=JPEG_QUALITY)
    data = base64.b64encode(buffer.getvalue()).decode()
    size = f'width="{drawn.width}" height="{drawn.height}"'
    return f'<img {size} alt="" src="data:image/jpeg;base64,{data}">'
