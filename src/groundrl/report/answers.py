"""The answers that a run left behind, and which of them a page shows."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from groundrl.boxes import Box, Frame
from groundrl.errors import UserError
from groundrl.metrics import INVENTS_BELOW
from groundrl.records import Grounding

RESULT = "result"
"""The only stage of an evaluation."""
WORST, BEST = 8, 8
"""Answers shown per set."""


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
    scores: Mapping[str, float]
    """What a benchmark says of the answer; empty in training."""
    true: tuple[Grounding, ...]
    predicted: tuple[Grounding, ...]
    spans: tuple[tuple[int, int], ...]
    """Where ``text`` says each of ``predicted``."""
    images: tuple[str, ...]
    """Relative to the run directory; boxes refer to the first."""

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
            scores=record.get("scores", {}),
            true=_groundings(record["boxes_true"]),
            predicted=_groundings(record["boxes_predicted"]),
            spans=tuple((start, end) for start, end in record["spans_predicted"]),
            images=tuple(record["images"]),
        )

    @property
    def quality(self) -> tuple[bool, float]:
        """Right answers above wrong ones, then by rating, the benchmark's score or IoU."""
        score = self.scores.get("rating", self.scores.get("score", self.iou or 0.0))
        return self.correct is not False, score

    @property
    def result(self) -> str:
        """In one word."""
        if "rating" in self.scores:
            return "invents" if self.scores["rating"] < INVENTS_BELOW else "sound"
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
    names = {f: f.stem.removeprefix("heldout_").replace("predictions", RESULT) for f in files}
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
