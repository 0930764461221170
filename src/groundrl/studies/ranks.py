"""Ranks of the runs of a sweep: which of several systems answers each question best."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from jaxtyping import Float
from scipy.stats import rankdata

from groundrl.answers.record import read_record_file
from groundrl.report.runs import Run
from groundrl.studies.conclusions import matching_rows
from groundrl.studies.rankings import Ranking


def rank_runs(rankings: Mapping[str, Ranking], runs: Sequence[Run]) -> tuple[list[Run], list[Run]]:
    """The runs with each ranking as a metric of their last stage; and the bases as rows of their
    own, named after their stage.

    A seed is ranked where every setting has finished and answered the same questions; a run that
    is not ranked stays as it is.
    """
    ranked, bases = list(runs), dict[tuple[str, str], Run]()
    for metric, ranking in rankings.items():
        systems = _find_systems(ranking, [run.name for run in runs])
        for seed in dict.fromkeys(run.seed for run in runs) if systems else ():
            places = {run.name: i for i, run in enumerate(ranked) if run.seed == seed}
            if not {*systems} <= {*places}:
                continue
            own = [ranked[places[name]] for name in systems]
            known = bases.get((ranking.base, seed))
            base = own[0] if known is None else known
            ranks = _rank([_cut(base, ranking.base), *own], ranking.score)
            if not ranks:
                continue
            bases[ranking.base, seed] = _add(
                replace(_cut(base, ranking.base), name=ranking.base), metric, ranks[0]
            )
            for run, rank in zip(own, ranks[1:], strict=True):
                ranked[places[run.name]] = _add(run, metric, rank)
    return ranked, sorted(bases.values(), key=lambda run: run.name)


def mean_ranks(scores: Float[np.ndarray, "systems questions"]) -> Float[np.ndarray, "systems"]:
    """Mean over questions of the rank of each system, 1 to the number of systems; the least score
    has rank 1, and equal ones share the mean of their ranks."""
    return rankdata(scores, method="average", axis=0).mean(axis=1)


def _find_systems(ranking: Ranking, names: Sequence[str]) -> list[str]:
    """The rows that are ranked; none where a setting is no row, or several."""
    rows = [matching_rows(setting, dict.fromkeys(names)) for setting in ranking.settings]
    if any(len(found) != 1 for found in rows):
        return []
    return [found[0] for found in rows] or list(dict.fromkeys(names))


def _cut(run: Run, stage: str) -> Run:
    """The run up to this stage; without any stage where it has not got it."""
    names = [*run.stages]
    kept = names[: names.index(stage) + 1] if stage in names else []
    return replace(run, stages={name: run.stages[name] for name in kept})


def _rank(runs: Sequence[Run], score: str) -> list[float]:
    """The mean rank of the answers of each run's last stage; none where they are not there, or
    not to the same questions."""
    if not all(run.stages for run in runs):
        return []
    answers = [
        _read_scores(run.folder / f"heldout_{[*run.stages][-1]}.jsonl", score) for run in runs
    ]
    questions = answers[0].keys()
    if not questions or any(one.keys() != questions for one in answers):
        return []
    return mean_ranks(np.array([[one[key] for key in questions] for one in answers])).tolist()


def _read_scores(file: Path, score: str) -> dict[tuple[str, str], float]:
    """The score of each answer in ``file`` that has one, by set and id."""
    records = read_record_file(file) if file.is_file() else []
    return {(one.set, one.id): one.scores[score] for one in records if score in one.scores}


def _add(run: Run, metric: str, value: float) -> Run:
    """The run with one more metric of its last stage."""
    last = [*run.stages][-1]
    return replace(run, stages={**run.stages, last: {**run.stages[last], metric: value}})
