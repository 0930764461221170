"""The runs that are compared: where they lie, what they left, whether they asked the same."""

import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from groundrl.answers.record import AnswerRecord
from groundrl.errors import UserError
from groundrl.report.answers.stage_answers import StageAnswer, read_answers
from groundrl.report.run_report import Curves, read_curves
from groundrl.report.runs import (
    RUN_FILES,
    SEED,
    read_failure,
    read_metrics,
    run_folders,
    setting_name,
)
from groundrl.report.tables import Metrics

USAGE = "Type python -m groundrl.report <run> [<run> ...], with paths that a script printed last."
MAX_NAMED = 3
"""Questions that a message gives as examples."""

Key = tuple[str, str]
"""Set and id of a question."""
Answers = Mapping[Key, AnswerRecord]


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparedRun:
    """A finished training run or an evaluation."""

    setting: str
    """Its path below the folder that all runs share, without the seed."""
    name: str
    """The same with the seed."""
    folder: Path
    stages: Mapping[str, Metrics]
    """Held-out figures, in the order of the stages; an evaluation has the stage "result" only."""
    answers: Mapping[str, Answers]
    """By stage; the last one has answers."""
    curves: Curves

    @property
    def last(self) -> str:
        """The stage of the results."""
        return list(self.stages)[-1]

    @property
    def figures(self) -> Metrics:
        """Of the last stage."""
        return self.stages[self.last]

    @property
    def results(self) -> Answers:
        """The answers after the last stage."""
        return self.answers[self.last]


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What lies in the folders that were typed."""

    runs: Sequence[ComparedRun]
    """By setting, then by name."""
    left_out: Sequence[str]
    """Why a folder is no part of the comparison, one sentence each."""


def find_compared(places: Sequence[str]) -> Found:
    """The runs in the given run folders and below the given sweep folders.

    Raises UserError for a folder that holds no run, for runs that answer different questions, and
    where no run is left.
    """
    folders = [folder for place in places for folder in _folders(Path(place).expanduser())]
    root = _common_folder(folders)
    reasons = {folder: _why_left_out(folder) for folder in folders}
    left_out = [f"left out: {folder}, {why}" for folder, why in reasons.items() if why]
    runs = [_read(root, folder) for folder, why in reasons.items() if not why]
    if not runs:
        raise UserError("\n".join(["there is no finished run to compare", *left_out, USAGE]))
    runs.sort(key=lambda run: (run.setting, run.name))
    check_same_questions(runs)
    return Found(runs=runs, left_out=left_out)


def _folders(place: Path) -> list[Path]:
    if not place.is_dir():
        raise UserError(f"{place} is no folder. {USAGE}")
    place = place.resolve()
    is_run = any((place / name).is_file() for name in RUN_FILES)
    found = [place] if is_run else sorted(run_folders(place))
    if not found:
        raise UserError(
            f"{place} holds no run: neither it nor a folder below has a metrics.json or a "
            f"resolved.yaml. {USAGE}"
        )
    return found


def _common_folder(folders: Sequence[Path]) -> Path:
    """Below which every run has a name, which is more than a seed."""
    root = Path(os.path.commonpath([folder.parent for folder in folders]))
    seeds_only = any(SEED.fullmatch(folder.name) and folder.parent == root for folder in folders)
    return root.parent if seeds_only else root


def _why_left_out(folder: Path) -> str:
    """Empty for a run that can be compared."""
    if not (folder / "metrics.json").is_file():
        failure = read_failure(folder)
        return (
            f"it failed ({failure})" if failure else f"unfinished; resume={folder} goes on with it"
        )
    if not any(folder.glob("heldout_*.jsonl")) and not (folder / "predictions.jsonl").is_file():
        return "it has no answers to questions"
    return ""


def _read(root: Path, folder: Path) -> ComparedRun:
    stages, _ = read_metrics(folder)
    answers = {
        found[0].stage: _by_key(folder, found)
        for found in read_answers(folder, list(stages))
        if found[0].stage in stages
    }
    if not stages or list(stages)[-1] not in answers:
        raise UserError(
            f"{folder} has figures of {', '.join(stages) or 'no stage'}, but no answers of the "
            "last stage: restore its files, or leave it out"
        )
    return ComparedRun(
        setting=setting_name(root, folder),
        name=folder.relative_to(root).as_posix(),
        folder=folder,
        stages=stages,
        answers=answers,
        curves=read_curves(folder),
    )


def _by_key(folder: Path, answers: Sequence[StageAnswer]) -> Answers:
    found = {(one.record.set, one.record.id): one.record for one in answers}
    if len(found) < len(answers):
        raise UserError(
            f"{folder}: {len(answers) - len(found)} questions are answered twice "
            f"({answers[0].stage}): restore the file of its answers, or leave the run out"
        )
    return found


def check_same_questions(runs: Sequence[ComparedRun]) -> None:
    """Raise UserError unless all runs answer the same questions, but for those that an evaluation
    counts as missing."""
    asked = {key for run in runs for key in run.results}
    groups: dict[frozenset[Key], list[ComparedRun]] = {}
    for run in runs:
        groups.setdefault(frozenset(run.results), []).append(run)
    if not all(_is_whole(run, asked) for run in runs):
        lines = [_describe_group(group, keys, asked) for keys, group in groups.items()]
        raise UserError(
            "\n  ".join(["the runs answer different held-out questions:", *lines])
            + "\nCompare runs with the same held-out data, or evaluations of the same benchmark."
        )
    first: dict[Key, AnswerRecord] = {}
    for run in runs:
        for key, record in run.results.items():
            first.setdefault(key, record)
        other = [key for key, record in run.results.items() if not _is_same(record, first[key])]
        if other:
            shown = ", ".join(f"{name} of {set_name}" for set_name, name in other[:MAX_NAMED])
            raise UserError(
                f"{run.name} and {runs[0].name} have {len(other)} questions with the same id, but "
                f"other words or another right answer, for example {shown}: compare runs with the "
                "same held-out data"
            )


def _is_whole(run: ComparedRun, asked: Set[Key]) -> bool:
    """Whether the run lacks no more than what it counts as missing."""
    lacking = _count_by_set(asked - run.results.keys())
    return all(count <= run.figures.get(f"{name}/missing", 0) for name, count in lacking.items())


def _describe_group(runs: Sequence[ComparedRun], keys: Set[Key], asked: Set[Key]) -> str:
    """Which runs they are, what they answer, and what not."""
    names = ", ".join(run.name for run in runs[:MAX_NAMED])
    more = f" and {len(runs) - MAX_NAMED} more" if len(runs) > MAX_NAMED else ""
    own, lacking = (_count_by_set(some) for some in (keys, asked - keys))
    answered = ", ".join(f"{count} of {name}" for name, count in own.items())
    rest = [f"{count} of {name}" if name in own else name for name, count in lacking.items()]
    return f"{names}{more}: {answered}" + (f"; not asked: {', '.join(rest)}" if rest else "")


def _count_by_set(keys: Iterable[Key]) -> dict[str, int]:
    return dict(sorted(Counter(name for name, _ in keys).items()))


def _is_same(a: AnswerRecord, b: AnswerRecord) -> bool:
    rights = [sorted(answer.casefold() for answer in one.answers) for one in (a, b)]
    return a.question == b.question and rights[0] == rights[1]


def by_setting(runs: Sequence[ComparedRun]) -> dict[str, list[ComparedRun]]:
    """The runs of each setting; ``runs`` are ordered by setting."""
    return {name: list(group) for name, group in groupby(runs, key=lambda run: run.setting)}


def shared_questions(runs: Sequence[ComparedRun]) -> list[Key]:
    """The questions that every run answers, in the order of the first."""
    return [key for key in runs[0].results if all(key in run.results for run in runs)]
