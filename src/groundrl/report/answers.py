"""The answers that a run left behind, and which of them a page shows."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from groundrl.answers.record import INVENTS_BELOW, AnswerRecord, read_record_file

RESULT = "result"
"""The only stage of an evaluation."""
WORST, BEST = 8, 8
"""Answers shown per set."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StageAnswer:
    """An answer that a run left behind."""

    stage: str
    record: AnswerRecord

    @property
    def quality(self) -> tuple[bool, float]:
        """Right answers above wrong ones, then by rating, the benchmark's score or IoU."""
        scores = self.record.scores
        score = scores.get("rating", scores.get("score", self.record.iou or 0.0))
        return self.record.correct is not False, score

    @property
    def result(self) -> str:
        """In one word."""
        if "rating" in self.record.scores:
            return "invents" if self.record.scores["rating"] < INVENTS_BELOW else "sound"
        return {True: "right", False: "wrong", None: "boxes"}[self.record.correct]


def read_answers(run_dir: Path, order: Sequence[str]) -> list[list[StageAnswer]]:
    """The answers of each stage (each file), those named in ``order`` first, then by name.

    ``predictions.jsonl`` of an evaluation counts as the stage "result".

    Raises UserError, with file and line, for lines that are no answer record.
    """
    files = [*run_dir.glob("heldout_*.jsonl"), *run_dir.glob("predictions.jsonl")]
    stages = []
    names = {f: f.stem.removeprefix("heldout_").replace("predictions", RESULT) for f in files}
    places = {stage: place for place, stage in enumerate(order)}
    for file in sorted(files, key=lambda file: (places.get(names[file], len(places)), file)):
        stages.append(
            [StageAnswer(stage=names[file], record=one) for one in read_record_file(file)]
        )
    return [answers for answers in stages if answers]


def pick_examples(stages: Sequence[Sequence[StageAnswer]]) -> list[tuple[str, StageAnswer]]:
    """("worst" or "best", answer): chosen by the last stage, then the same questions before it.

    Stages that share no question with the last one have their own worst and best.
    """
    chosen = _extremes(stages[-1])
    place = {_key(a): (rank, pick) for rank, (pick, a) in enumerate(chosen)}
    result = list(chosen)
    for answers in stages[-2::-1]:
        same = [a for a in answers if _key(a) in place]
        same.sort(key=lambda a: place[_key(a)][0])
        result += [(place[_key(a)][1], a) for a in same] or _extremes(answers)
    return result


def _key(answer: StageAnswer) -> tuple[str, str]:
    return answer.record.set, answer.record.id


def _extremes(answers: Sequence[StageAnswer]) -> list[tuple[str, StageAnswer]]:
    """Per set, from the worst up and then from the best down; nobody is in both."""
    picks: dict[str, list[tuple[str, StageAnswer]]] = {"worst": [], "best": []}
    for _, group in groupby(
        sorted(answers, key=lambda a: a.record.set), key=lambda a: a.record.set
    ):
        ranked = sorted(group, key=lambda a: a.quality)
        half = (len(ranked) + 1) // 2
        picks["worst"] += [("worst", a) for a in ranked[: min(WORST, half)]]
        picks["best"] += [("best", a) for a in ranked[half:][-BEST:][::-1]]
    return picks["worst"] + picks["best"]
