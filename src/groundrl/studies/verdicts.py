"""Whether the runs of a sweep bear a conclusion out: paired over seeds, and by question."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

from groundrl.answers.record import AnswerRecord, read_record_file
from groundrl.files import write_json
from groundrl.intervals import Interval, bootstrap, t_interval, values_needed
from groundrl.report.runs import Run
from groundrl.report.sweep import format_interval
from groundrl.report.tables import Table
from groundrl.studies.conclusions import Conclusion, Side, matching_rows

VERDICT_FILE = "verdict.json"
MOST_SEEDS = 1000
"""More are not worth a number."""

Result = Literal["borne out", "not borne out", "undecided", "not measured"]

ANSWER_VALUES: Mapping[str, Callable[[AnswerRecord], float | None]] = {
    "acc": lambda record: None if record.correct is None else float(record.correct),
    "iou": lambda record: record.iou,
    "boxes": lambda record: float(len(record.predicted)),
    "tokens": lambda record: float(len(record.tokens)),
}
"""Held-out metric -> its value for one answer, which the metric is the mean of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What the runs say about a conclusion."""

    conclusion: Conclusion
    result: Result
    """borne out: the whole interval lies on the expected side of 0; not borne out: on the other
    side; undecided: it holds 0, or there is one seed only."""
    effect: Interval | None
    """Mean over seeds of ``of - against`` with its 95 % t-interval; None: not measured."""
    seeds: tuple[str, ...]
    """Those that both sides have."""
    by_question: Interval | None
    """The same mean with the 95 % interval of a paired bootstrap over images: how much depends on
    the questions. None where the answers to the same questions are not there."""
    note: str
    """What would decide it, or why it is not measured."""


Answers = Mapping[tuple[str, str], AnswerRecord]
"""By set and id."""


def judge_all(conclusions: Sequence[Conclusion], runs: Sequence[Run]) -> list[Verdict]:
    """Compare the two sides of each conclusion in every seed that both have finished."""
    read = cache(_read_answers)  # many conclusions are about the same answers
    return [_judge(conclusion, runs, read) for conclusion in conclusions]


def _judge(conclusion: Conclusion, runs: Sequence[Run], read: Callable[[Path], Answers]) -> Verdict:
    pairs, why = _pair_runs(conclusion, runs)
    differences = {
        seed: of.stages[of_stage][conclusion.metric] - against.stages[stage][conclusion.metric]
        for seed, ((of, of_stage), (against, stage)) in pairs.items()
    }
    if not differences:
        return Verdict(
            conclusion=conclusion,
            result="not measured",
            effect=None,
            seeds=(),
            by_question=None,
            note=why,
        )
    effect = t_interval([*differences.values()])
    result = decide(effect, conclusion.expected)
    return Verdict(
        conclusion=conclusion,
        result=result,
        effect=effect,
        seeds=tuple(differences),
        by_question=_compare_answers(conclusion.metric, [*pairs.values()], read),
        note=_what_would_decide([*differences.values()]) if result == "undecided" else "",
    )


def decide(effect: Interval, expected: Literal["higher", "lower"]) -> Result:
    """The verdict that an interval gives."""
    if not (effect.low > 0 or effect.high < 0):  # also where the ends are nan
        return "undecided"
    return "borne out" if (effect.low > 0) == (expected == "higher") else "not borne out"


def _what_would_decide(differences: Sequence[float]) -> str:
    if len(differences) == 1:
        return "one seed shows no spread: add a second one"
    if not any(differences):
        return "no seed makes a difference"
    needed = values_needed(differences, MOST_SEEDS)
    if needed is None:
        return f"more than {MOST_SEEDS} seeds at this mean and spread"
    return f"about {needed} seeds at this mean and spread"


RunStage = tuple[Run, str]


def _pair_runs(
    conclusion: Conclusion, runs: Sequence[Run]
) -> tuple[dict[str, tuple[RunStage, RunStage]], str]:
    """By seed, the runs with the metric of both sides; or why there are none."""
    of, why_of = _find_runs(conclusion.of, conclusion.metric, runs)
    against, why_against = _find_runs(conclusion.against, conclusion.metric, runs)
    pairs = {seed: (run, against[seed]) for seed, run in of.items() if seed in against}
    return pairs, why_of or why_against or "no seed is finished on both sides"


def _find_runs(side: Side, metric: str, runs: Sequence[Run]) -> tuple[dict[str, RunStage], str]:
    rows = matching_rows(side.setting, {run.name: None for run in runs})
    if len(rows) != 1:
        return {}, f"{'several rows fit' if rows else 'no row fits'} {side.label}"
    finished = [run for run in runs if run.name == rows[0] and run.stages]
    if not finished:
        return {}, f"no run of {rows[0]} is finished"
    staged = [(run, side.stage or [*run.stages][-1]) for run in finished]
    staged = [(run, stage) for run, stage in staged if stage in run.stages]
    if not staged:
        return {}, f"{rows[0]} has no stage {side.stage}, it has {', '.join(finished[0].stages)}"
    found = {run.seed: (run, stage) for run, stage in staged if metric in run.stages[stage]}
    run, stage = staged[0]
    near = [
        name for name in run.stages[stage] if name.rpartition("/")[2] == metric.rpartition("/")[2]
    ]
    instead = f", it has {', '.join(near)}" if near else ""
    return found, "" if found else f"{side.label} has no metric {metric}{instead}"


def _compare_answers(
    metric: str, pairs: Sequence[tuple[RunStage, RunStage]], read: Callable[[Path], Answers]
) -> Interval | None:
    """Mean over seeds and questions of the difference, by paired bootstrap over images."""
    set_name, _, name = metric.rpartition("/")
    if name not in ANSWER_VALUES:
        return None
    value = ANSWER_VALUES[name]
    differences: list[float] = []
    images: list[str] = []
    for sides in pairs:
        of, against = (
            {key: record for key, record in read(_answer_file(*side)).items() if key[0] == set_name}
            for side in sides
        )
        if not of or _questions(of) != _questions(against):
            return None
        for key, record in of.items():
            after, before = value(record), value(against[key])
            if after is not None and before is not None:
                differences.append(after - before)
                images.append(record.image_key)
    return bootstrap(differences, images) if differences else None


def _answer_file(run: Run, stage: str) -> Path:
    return run.folder / f"heldout_{stage}.jsonl"


def _read_answers(file: Path) -> Answers:
    """Empty without the file."""
    records = read_record_file(file) if file.is_file() else []
    return {(record.set, record.id): record for record in records}


def _questions(answers: Answers) -> dict[tuple[str, str], str]:
    return {key: record.question for key, record in answers.items()}


def verdict_table(verdicts: Sequence[Verdict]) -> Table:
    """One row per conclusion."""
    rows = tuple(
        (
            one.conclusion.claim,
            f"{one.result}: {one.note}" if one.note else one.result,
            format_effect(one.effect),
            format_effect(one.by_question),
            one.conclusion.metric,
        )
        for one in verdicts
    )
    columns = ("claim", "verdict", "effect", "by question", "metric")
    return Table(columns=columns, rows=rows, title="Conclusions")


def format_effect(effect: Interval | None) -> str:
    """``+0.075 ± 0.020``; without the half width where there is one seed only."""
    if effect is None:
        return ""
    return f"+{format_interval(effect)}".replace("+-", "-")


def describe(verdict: Verdict) -> str:
    """The verdict in words."""
    conclusion, effect = verdict.conclusion, verdict.effect
    said = f"{verdict.result.capitalize()}: {conclusion.claim} ({conclusion.source})."
    if effect is None:
        return f"{said} Nothing to compare: {verdict.note}."
    said += (
        f" {conclusion.metric} of {conclusion.of.label} minus that of {conclusion.against.label}, "
        f"expected to be {'above' if conclusion.expected == 'higher' else 'below'} 0, is "
        f"{format_effect(effect)} over {len(verdict.seeds)} seed{'s' * (len(verdict.seeds) > 1)}"
    )
    if verdict.by_question is not None:
        said += f"; paired by question, {format_effect(verdict.by_question)}"
    return f"{said}. To decide it: {verdict.note}." if verdict.note else f"{said}."


def write_verdicts(root: Path, verdicts: Sequence[Verdict]) -> Path:
    """Write ``verdict.json`` into ``root`` and return its path."""
    path = root / VERDICT_FILE
    write_json(path, {"conclusions": [_as_json(verdict) for verdict in verdicts]})
    return path


def _as_json(verdict: Verdict) -> dict[str, object]:
    conclusion = verdict.conclusion
    return {
        "claim": conclusion.claim,
        "source": conclusion.source,
        "metric": conclusion.metric,
        "of": {"setting": conclusion.of.setting, "stage": conclusion.of.stage},
        "against": {"setting": conclusion.against.setting, "stage": conclusion.against.stage},
        "expected": conclusion.expected,
        "verdict": verdict.result,
        "effect": _interval(verdict.effect),
        "seeds": verdict.seeds,
        "by_question": _interval(verdict.by_question),
        "note": verdict.note,
    }


def _interval(interval: Interval | None) -> dict[str, float | None] | None:
    """The ends are null where one value has none."""
    if interval is None:
        return None
    known = interval.n > 1
    return {
        "mean": interval.mean,
        "low": interval.low if known else None,
        "high": interval.high if known else None,
        "n": interval.n,
    }
