"""Puts the questions of benchmarks to a model; every answer is kept the moment it is there."""

import json
import os
from collections.abc import Callable, Container, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from io import StringIO
from pathlib import Path

from groundrl.answers.attempt import Attempt, read_attempt
from groundrl.answers.notation import Notation
from groundrl.answers.record import AnswerOrigin, read_records, record_of
from groundrl.data.datasets import SampleList
from groundrl.data.problems import Problems
from groundrl.evaluation.benchmarks.base import Benchmark, Form, QuestionSet, ScoredAttempt
from groundrl.evaluation.heldout import answers_to
from groundrl.evaluation.matching import check_distinct
from groundrl.evaluation.prompting import Prompting, template_for
from groundrl.evaluation.recorded import RecordedAnswer
from groundrl.files import drop_torn_line, whole_lines
from groundrl.parallel import is_first
from groundrl.policy.policy import Policy
from groundrl.progress import ProgressLine
from groundrl.prompts import PromptTemplate
from groundrl.records import Sample
from groundrl.rollout.sampler import Sampler
from groundrl.task_runner import LocalRunner, TaskRunner, split_into_tasks

PREDICTIONS = "predictions.jsonl"
HERE = LocalRunner()

Key = tuple[str, str]
"""Set and id of a question."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Respondent:
    """A model, and how it is asked."""

    opened: Callable[[], AbstractContextManager[Policy]]
    """The model on its device; called when the questions are known to be there."""
    sampler: Sampler
    """One completion per question."""
    notation: Notation
    prompting: Prompting
    num_workers: int = 0
    """Processes that decode and preprocess images."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchmarkQuestions:
    """Questions of one benchmark."""

    set: str
    form: Form
    samples: tuple[Sample, ...]


AskedAttempt = tuple[Attempt, AnswerOrigin]
"""An answer, and how it came about."""


def prediction_line(one: ScoredAttempt, set_name: str, asking: AnswerOrigin) -> str:
    """A line of ``predictions.jsonl``: all that a later scoring needs."""
    correct = bool(one.scores["correct"]) if "correct" in one.scores else None
    return json.dumps(record_of(one.attempt, set_name, correct, asking, one.scores).json) + "\n"


def score_attempt(benchmark: Benchmark, attempt: Attempt) -> ScoredAttempt:
    """The answer with the benchmark's verdict."""
    return ScoredAttempt(attempt=attempt, scores=benchmark.score(attempt))


def ask(
    respondent: Respondent,
    benchmarks: Mapping[str, Benchmark],
    run_dir: Path,
    runner: TaskRunner = HERE,
) -> tuple[dict[str, list[ScoredAttempt]], dict[str, QuestionSet]]:
    """Answers to every question; those that ``predictions.jsonl`` holds are not asked again.

    Processes that run together share the questions. ``runner``: this process, or others.
    """
    questions = {name: benchmark.questions() for name, benchmark in benchmarks.items()}
    for name, found in questions.items():
        check_distinct(name, found.samples)
    asked = {(name, s.id): s for name, found in questions.items() for s in found.samples}
    path = run_dir / PREDICTIONS
    kept = _read_finished(path, asked)
    stream = None if is_first() else StringIO()
    line = ProgressLine(len(asked), "evaluate", stream=stream, first_step=len(kept))
    if len(kept) < len(asked):
        tasks = _tasks(benchmarks, questions, kept, runner)
        file = path.open("a", encoding="utf-8") if is_first() else open(os.devnull, "w")  # noqa: SIM115
        with file, line, runner.start_workers(partial(_start_worker, respondent)) as work:
            for name, told in work(tasks):
                for attempt, asking in told:
                    one = score_attempt(benchmarks[name], attempt)
                    file.write(prediction_line(one, name, asking))
                    kept[name, attempt.sample.id] = attempt
                # From here on a killed process loses nothing of them.
                file.flush()
                line.update(len(kept))
    answers = {
        name: [score_attempt(benchmark, kept[name, s.id]) for s in questions[name].samples]
        for name, benchmark in benchmarks.items()
    }
    return answers, questions


def _tasks(
    benchmarks: Mapping[str, Benchmark],
    questions: Mapping[str, QuestionSet],
    kept: Container[Key],
    runner: TaskRunner,
) -> Iterator[BenchmarkQuestions]:
    """The questions that are left; those about one image follow each other."""
    for name, benchmark in benchmarks.items():
        left = [s for s in questions[name].samples if (name, s.id) not in kept]
        number = {key: i for i, key in enumerate(dict.fromkeys(s.image.key for s in left))}
        left.sort(key=lambda sample: number[sample.image.key])
        for part in split_into_tasks(left, runner):
            yield BenchmarkQuestions(set=name, form=benchmark.form, samples=tuple(part))


@contextmanager
def _start_worker(
    respondent: Respondent,
) -> Iterator[Callable[[BenchmarkQuestions], Iterator[tuple[str, list[AskedAttempt]]]]]:
    """What answers questions, with the set that they are of."""
    with respondent.opened() as policy:
        yield partial(_answers, respondent, policy, policy.encode.template)


def _read_finished(path: Path, asked: Mapping[Key, Sample]) -> dict[Key, Attempt]:
    """The answers of an earlier, interrupted run; a torn last line is dropped."""
    if not path.exists():
        return {}
    whole = drop_torn_line(path) if is_first() else whole_lines(path.read_bytes())
    problems = Problems(str(path))
    found = read_records(path, whole, problems)
    problems.raise_if_any()
    kept: dict[Key, Attempt] = {}
    for one in found:
        key = one.set, one.id
        if key in asked:
            kept[key] = RecordedAnswer.of(one).about(asked[key]).attempt
    return kept


def _answers(
    respondent: Respondent, policy: Policy, template: PromptTemplate, asked: BenchmarkQuestions
) -> Iterator[tuple[str, list[AskedAttempt]]]:
    notation = respondent.notation
    policy.encode.template = template_for(
        template, asked.form, notation.grammar, respondent.prompting
    )
    source = SampleList(asked.samples)
    for groups in answers_to(source, policy, respondent.sampler, respondent.num_workers):
        told = []
        for group in groups:
            attempt = read_attempt(group, group.completions[0], notation.grammar, notation.frame)
            asking = AnswerOrigin(
                notation=notation,
                prompt=policy.encode.template.text(group.sample),
                prompting=respondent.prompting,
                seed=respondent.sampler.seed_of(group.sample.id, step=0),
            )
            told.append((attempt, asking))
        yield asked.set, told
