"""Differences between two groups of runs, tested question by question."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise

import numpy as np

from groundrl.answers.record import AnswerRecord
from groundrl.intervals import Interval, bootstrap, holm, sign_flip
from groundrl.report.comparison.runs import Answers, ComparedRun, Key, by_setting
from groundrl.report.tables import Table, number

COMPARED = ("correct", "iou", "box_iou", "score", "rating")
"""Scores of single answers that are tested; "correct" is 0 or 1, the others are a benchmark's."""
RIGHT_FROM = 0.5
"""IoU from which on an answer counts as right where the question asks for boxes only."""

TESTS_LEGEND = (
    "change: second minus first, in the mean over the runs of each setting, with its 95 % "
    "interval by paired bootstrap over images; p by a paired permutation test over images, p "
    "(Holm) adjusted for all rows of the table. All are about the questions and take the trained "
    "runs as given: how much another seed changes is in the ± of the results."
)

Group = Sequence[Answers]
"""Answers of one setting after one stage, by run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedDifference:
    """How much a score differs between two groups of runs."""

    score: str
    """``<set>/<score>``."""
    names: tuple[str, str]
    means: tuple[float, float]
    change: Interval
    """Second minus first."""
    p: float


def scores_of(record: AnswerRecord) -> dict[str, float]:
    """Those of ``COMPARED`` that an answer has."""
    own = {} if record.correct is None else {"correct": float(record.correct)}
    own |= {} if record.iou is None else {"iou": record.iou}
    found = {**record.scores, **own}
    return {name: found[name] for name in COMPARED if name in found}


def is_right(record: AnswerRecord) -> bool | None:
    """Right, or points there where the question asks for boxes only; None: neither is asked."""
    scores = scores_of(record)
    if "correct" in scores:
        return scores["correct"] > 0
    return scores["iou"] >= RIGHT_FROM if "iou" in scores else None


def compare_settings(
    runs: Sequence[ComparedRun], questions: Sequence[Key]
) -> list[PairedDifference]:
    """Every pair of settings after their last stages."""
    groups = {name: [run.results for run in own] for name, own in by_setting(runs).items()}
    return _compare(list(combinations(groups.items(), 2)), questions)


def compare_stages(runs: Sequence[ComparedRun], questions: Sequence[Key]) -> list[PairedDifference]:
    """Every stage against the one before, in each setting."""
    pairs = []
    for setting, own in by_setting(runs).items():
        stages = [name for name in own[0].stages if all(name in run.answers for run in own)]
        groups = [(f"{setting} {name}", [run.answers[name] for run in own]) for name in stages]
        pairs += pairwise(groups)
    return _compare(pairs, questions)


def _compare(
    pairs: Sequence[tuple[tuple[str, Group], tuple[str, Group]]], questions: Sequence[Key]
) -> list[PairedDifference]:
    """Each pair by each score of each set."""
    found = []
    for (a, first), (b, second) in pairs:
        for set_name in dict.fromkeys(name for name, _ in questions):
            keys = [key for key in questions if key[0] == set_name]
            for score in COMPARED:
                one = _difference(f"{set_name}/{score}", (a, b), (first, second), keys)
                found += [] if one is None else [one]
    return found


def _difference(
    score: str, names: tuple[str, str], groups: tuple[Group, Group], keys: Sequence[Key]
) -> PairedDifference | None:
    """None where no question has this score in all runs."""
    short = score.rpartition("/")[2]
    rows, images = [], []
    for key in keys:
        records = [[run[key] for run in group if key in run] for group in groups]
        known = [
            [scores[short] for scores in map(scores_of, own) if short in scores] for own in records
        ]
        if all(len(own) == len(group) for own, group in zip(known, groups, strict=True)):
            rows.append([sum(own) / len(own) for own in known])
            images.append(records[0][0].image_key)
    if not rows:
        return None
    first, second = np.array(rows, dtype=np.float64).T
    return PairedDifference(
        score=score,
        names=names,
        means=(float(first.mean()), float(second.mean())),
        change=bootstrap(second - first, images),
        p=sign_flip(second - first, images),
    )


def difference_table(found: Sequence[PairedDifference], title: str) -> Table:
    """One row per test, the smallest p first; each p also adjusted for all rows."""
    adjusted = holm([one.p for one in found])
    ordered = sorted(zip(found, adjusted, strict=True), key=lambda pair: (pair[1], pair[0].p))
    return Table(
        title=title,
        columns=(
            *("score", "first", "second", "change", "p", "p (Holm)"),
            *("mean of first", "of second", "n"),
        ),
        rows=tuple(
            (
                one.score,
                *one.names,
                f"{one.change.mean:+.3f} [{one.change.low:+.3f}, {one.change.high:+.3f}]",
                f"{one.p:.4f}",
                f"{p:.4f}",
                *map(number, one.means),
                str(one.change.n),
            )
            for one, p in ordered
        ),
    )
