"""Draws ``docs/before_after.png``: ``python docs/before_after.py outputs/my_run``.

Held-out questions that a run answers wrongly before training and after its warm-up, and rightly
after GRPO: of each kind the one whose boxes became most exact.
"""

import sys
from pathlib import Path

from groundrl.report.answers.sheet import answer_sheet
from groundrl.report.answers.stage_answers import StageAnswer, read_answers

FILE = Path(__file__).parent / "before_after.png"
STAGES = ("start", "sft", "grpo")
CARDS = 2


def learned(answers: tuple[StageAnswer, ...]) -> bool:
    """Whether only the last of the three answers is right."""
    return [answer.result for answer in answers] == ["wrong", "wrong", "right"]


def gain(answers: tuple[StageAnswer, ...]) -> float:
    """By how much the boxes are more exact after GRPO than after the warm-up."""
    return (answers[-1].record.iou or 0.0) - (answers[-2].record.iou or 0.0)


def main(run: Path, file: Path = FILE) -> None:
    """Draw the cards and write them."""
    best: dict[str, tuple[StageAnswer, ...]] = {}
    asked = zip(*read_answers(run, STAGES), strict=True)
    for answers in sorted(filter(learned, asked), key=gain):
        best[answers[-1].record.kind] = answers
    rows = sorted(best.values(), key=gain)[-CARDS:]
    answer_sheet(run, rows).save(file, optimize=True)
    print(file)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
