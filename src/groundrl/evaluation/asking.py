"""Puts the questions of benchmarks to a model; every answer is kept the moment it is there."""

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from groundrl.data.datasets import SampleList
from groundrl.data.problems import Problems
from groundrl.evaluation.benchmarks.base import Answered, Benchmark, Questions
from groundrl.evaluation.heldout import answers_to
from groundrl.evaluation.matching import check_distinct
from groundrl.evaluation.notation import Notation
from groundrl.evaluation.prompting import Prompting, template_for
from groundrl.evaluation.recorded import prediction, read_records
from groundrl.parallel import is_first
from groundrl.policy.policy import Policy
from groundrl.progress import ProgressLine
from groundrl.records import Sample
from groundrl.rewards.base import Attempt, read_attempt
from groundrl.rollout.sampler import Sampler

PREDICTIONS = "predictions.jsonl"

Key = tuple[str, str]
"""Set and id of a question."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Respondent:
    """A model, and how it is asked."""

    load: Callable[[], Policy]
    """Called when the questions are known to be there."""
    sampler: Sampler
    """One completion per question."""
    notation: Notation
    prompting: Prompting
    num_workers: int = 0
    """Processes that decode and preprocess pictures."""


def answered(benchmark: Benchmark, attempt: Attempt) -> Answered:
    """The answer with the benchmark's verdict."""
    return Answered(attempt=attempt, scores=benchmark.score(attempt))


def ask(
    respondent: Respondent,
    benchmarks: Mapping[str, Benchmark],
    run_dir: Path,
    place: Callable[[Policy], AbstractContextManager[None]],
) -> tuple[dict[str, list[Answered]], dict[str, Questions]]:
    """Answers to every question; those that ``predictions.jsonl`` holds are not asked again.

    Processes that run together share the questions. ``place`` puts the model on its device.
    """
    questions = {name: benchmark.questions() for name, benchmark in benchmarks.items()}
    for name, found in questions.items():
        check_distinct(name, found.samples)
    asked = {(name, s.id): s for name, found in questions.items() for s in found.samples}
    path = run_dir / PREDICTIONS
    kept = _kept(path, asked)
    line = ProgressLine(len(asked), "evaluate", first_step=len(kept))
    if len(kept) < len(asked):
        policy = respondent.load()
        own = policy.encode.template
        file = path.open("a", encoding="utf-8") if is_first() else open(os.devnull, "w")  # noqa: SIM115
        with file, line, place(policy):
            for name, benchmark in benchmarks.items():
                policy.encode.template = template_for(
                    own, benchmark.form, respondent.notation.grammar, respondent.prompting
                )
                left = [s for s in questions[name].samples if (name, s.id) not in kept]
                for attempts in _answers(respondent, policy, left):
                    found = [answered(benchmark, attempt) for attempt in attempts]
                    _keep(file, name, found, respondent)
                    kept |= {(name, one.attempt.sample.id): one.attempt for one in found}
                    line.update(len(kept))
    answers = {
        name: [answered(benchmark, kept[name, s.id]) for s in questions[name].samples]
        for name, benchmark in benchmarks.items()
    }
    return answers, questions


def _kept(path: Path, asked: Mapping[Key, Sample]) -> dict[Key, Attempt]:
    """What an earlier, interrupted run was told; a last line that was cut off is dropped."""
    if not path.exists():
        return {}
    whole, newline, _ = path.read_bytes().rpartition(b"\n")
    if is_first():
        with path.open("r+b") as file:
            file.truncate(len(whole) + len(newline))
    problems = Problems(str(path))
    found = read_records(path, whole, problems)
    problems.raise_if_any()
    kept: dict[Key, Attempt] = {}
    for one in found:
        key = one.set, one.group.sample.id
        if key in asked:
            kept[key] = one.about(asked[key])
    return kept


def _answers(
    respondent: Respondent, policy: Policy, samples: Sequence[Sample]
) -> Iterator[list[Attempt]]:
    notation = respondent.notation
    source = SampleList(tuple(samples))
    for groups in answers_to(source, policy, respondent.sampler, respondent.num_workers):
        yield [
            read_attempt(group, group.completions[0], notation.grammar, notation.frame)
            for group in groups
        ]


def _keep(file: TextIO, name: str, found: Sequence[Answered], respondent: Respondent) -> None:
    for one in found:
        seed = respondent.sampler.seed
        record = prediction(one.attempt, name, one.scores, respondent.notation, seed)
        file.write(json.dumps(record) + "\n")
    # From here on a killed process loses nothing of them.
    file.flush()
