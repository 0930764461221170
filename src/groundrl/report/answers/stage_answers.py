"""The answers in a run directory, stage by stage, and which of them a page shows."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from groundrl.answers.record import INVENTS_BELOW, AnswerRecord, read_record_file

RESULT = "result"
"""The only stage of an evaluation."""
MAX_WORST, MAX_BEST = 8, 8
"""Answers shown per set."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StageAnswer:
    """An answer of the model as it was after a stage."""

    stage: str
    record: AnswerRecord

    @property
    def quality(self) -> tuple[bool, float]:
        """Sort key: right answers above wrong ones, then by rating, the benchmark's score or
        IoU."""
        scores = self.record.scores
        score = scores.get("rating", scores.get("score", self.record.iou or 0.0))
        return self.record.correct is not False, score

    @property
    def result(self) -> str:
        """One word: "invents" or "sound" for rated answers, "right", "wrong", or "boxes" where
        the question asks for boxes only."""
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
        records = read_record_file(file)
        stages.append([StageAnswer(stage=names[file], record=record) for record in records])
    return [answers for answers in stages if answers]


def pick_examples(stages: Sequence[Sequence[StageAnswer]]) -> list[tuple[str, StageAnswer]]:
    """("worst" or "best", answer): of the last stage, then of the stages before it the answers to
    the same questions.

    Stages that share no question with the last one have their own worst and best.
    """
    chosen = _pick_worst_and_best(stages[-1])
    place = {_question_key(a): (rank, pick) for rank, (pick, a) in enumerate(chosen)}
    result = list(chosen)
    for answers in stages[-2::-1]:
        same = [a for a in answers if _question_key(a) in place]
        same.sort(key=lambda a: place[_question_key(a)][0])
        result += [(place[_question_key(a)][1], a) for a in same] or _pick_worst_and_best(answers)
    return result


def _question_key(answer: StageAnswer) -> tuple[str, str]:
    return answer.record.set, answer.record.id


def _pick_worst_and_best(answers: Sequence[StageAnswer]) -> list[tuple[str, StageAnswer]]:
    """Per set the worst answers, worst first, then the best ones, best first. Of few answers the
    lower half counts as worst, so that no answer is picked twice."""
    picks: dict[str, list[tuple[str, StageAnswer]]] = {"worst": [], "best": []}
    for _, group in groupby(
        sorted(answers, key=lambda a: a.record.set), key=lambda a: a.record.set
    ):
        ranked = sorted(group, key=lambda a: a.quality)
        half = (len(ranked) + 1) // 2
        picks["worst"] += [("worst", a) for a in ranked[: min(MAX_WORST, half)]]
        picks["best"] += [("best", a) for a in ranked[half:][-MAX_BEST:][::-1]]
    return picks["worst"] + picks["best"]
