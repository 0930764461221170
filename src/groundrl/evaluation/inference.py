"""Inference: a model answers the questions of benchmarks; each answer is written at once."""

import json
import os
from collections.abc import Callable, Container, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from io import StringIO
from pathlib import Path

from groundrl.answers.attempt import Attempt, read_attempt
from groundrl.answers.notation import Notation
from groundrl.answers.record import AnswerOrigin, make_record, read_records
from groundrl.data.askable import box_problems, image_problems, option_problems
from groundrl.data.datasets import SampleList
from groundrl.data.image_files import check_images
from groundrl.data.problems import Problems
from groundrl.errors import UserError
from groundrl.evaluation.benchmarks.base import Benchmark, QuestionSet, ScoredAttempt
from groundrl.evaluation.heldout import answers_to
from groundrl.evaluation.matching import check_distinct
from groundrl.evaluation.prompting import Prompting, choose_template
from groundrl.evaluation.recorded import RecordedAnswer
from groundrl.files import drop_torn_line
from groundrl.policy.policy import Policy
from groundrl.records import Form, ImageFile, Sample
from groundrl.rollout.sampler import Sampler
from groundrl.running.parallel import from_first, is_first
from groundrl.running.progress import ProgressLine
from groundrl.running.task_runner import LocalRunner, TaskRunner, split_into_tasks

PREDICTIONS = "predictions.jsonl"
HERE = LocalRunner()

Key = tuple[str, str]
"""Set and id of a question."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSource:
    """Answers are sampled from a model."""

    open_policy: Callable[[], AbstractContextManager[Policy]]
    """Loads the model onto its device; called once the questions have been read."""
    sampler: Sampler
    """One completion per question."""
    notation: Notation
    prompting: Prompting
    num_workers: int = 0
    """Processes that decode and preprocess images."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InferenceTask:
    """Questions of one benchmark that one worker answers."""

    set: str
    form: Form
    samples: tuple[Sample, ...]


AnsweredQuestion = tuple[Attempt, AnswerOrigin]
"""An answer, and how it came about."""


def prediction_line(one: ScoredAttempt, set_name: str, origin: AnswerOrigin) -> str:
    """A line of ``predictions.jsonl``: all that a later scoring needs."""
    correct = bool(one.scores["correct"]) if "correct" in one.scores else None
    return json.dumps(make_record(one.attempt, set_name, correct, origin, one.scores).json) + "\n"


def score_attempt(benchmark: Benchmark, attempt: Attempt) -> ScoredAttempt:
    """The answer with the benchmark's verdict."""
    return ScoredAttempt(attempt=attempt, scores=benchmark.score(attempt))


def askable(benchmark: Benchmark) -> QuestionSet:
    """The questions; those that cannot be put to a model count as missing: an image that cannot be
    decoded or has a shape that processors refuse, an option that stands there twice, a true box
    without area where a box is asked for."""
    found = benchmark.questions()
    images = (image for sample in found.samples for image in sample.images)
    checked = check_images(one.path for one in images if isinstance(one, ImageFile))
    asked, missing = list[Sample](), list(found.missing)
    for sample in found.samples:
        broken = (checked[image.path] for image in sample.images if isinstance(image, ImageFile))
        problems = [f"{sample.image.key}: {why}" for why in broken if isinstance(why, str)]
        problems += (*image_problems(sample), *option_problems(sample))
        problems += box_problems(sample) if benchmark.form is Form.BOX else ()
        if problems:
            missing.append(f"{sample.id}: {'; '.join(problems)}")
        else:
            asked.append(sample)
    if not asked and missing:
        raise UserError(f"none of {len(missing)} questions can be asked, for example {missing[0]}")
    return replace(found, samples=tuple(asked), missing=tuple(missing))


def answer_questions(
    source: ModelSource,
    benchmarks: Mapping[str, Benchmark],
    run_dir: Path,
    runner: TaskRunner = HERE,
) -> tuple[dict[str, list[ScoredAttempt]], dict[str, QuestionSet]]:
    """Scored answers and the questions of each benchmark; questions that ``predictions.jsonl``
    answers already are not asked again.

    Processes that run together share the questions. ``runner``: starts the workers.
    """
    questions = {name: askable(benchmark) for name, benchmark in benchmarks.items()}
    for name, found in questions.items():
        check_distinct(name, found.samples)
    asked = {(name, s.id): s for name, found in questions.items() for s in found.samples}
    path = run_dir / PREDICTIONS
    finished = from_first(lambda: _read_finished(path, asked))
    stream = None if is_first() else StringIO()
    line = ProgressLine(len(asked), "evaluate", stream=stream, first_step=len(finished))
    if len(finished) < len(asked):
        tasks = _make_tasks(benchmarks, questions, finished, runner)
        file = path.open("a", encoding="utf-8") if is_first() else open(os.devnull, "w")  # noqa: SIM115
        with file, line, runner.start_workers(partial(_start_worker, source)) as work:
            for name, answers in work(tasks):
                for attempt, origin in answers:
                    one = score_attempt(benchmarks[name], attempt)
                    file.write(prediction_line(one, name, origin))
                    finished[name, attempt.sample.id] = attempt
                # From here on a killed process loses none of them.
                file.flush()
                line.update(len(finished))
    scored = {
        name: [score_attempt(benchmark, finished[name, s.id]) for s in questions[name].samples]
        for name, benchmark in benchmarks.items()
    }
    return scored, questions


def _make_tasks(
    benchmarks: Mapping[str, Benchmark],
    questions: Mapping[str, QuestionSet],
    finished: Container[Key],
    runner: TaskRunner,
) -> Iterator[InferenceTask]:
    """The questions without an answer; those about one image follow each other."""
    for name, benchmark in benchmarks.items():
        left = [s for s in questions[name].samples if (name, s.id) not in finished]
        number = {key: i for i, key in enumerate(dict.fromkeys(s.image.key for s in left))}
        left.sort(key=lambda sample: number[sample.image.key])
        for part in split_into_tasks(left, runner):
            yield InferenceTask(set=name, form=benchmark.form, samples=tuple(part))


@contextmanager
def _start_worker(
    source: ModelSource,
) -> Iterator[Callable[[InferenceTask], Iterator[tuple[str, list[AnsweredQuestion]]]]]:
    """A function that answers a task's questions, batch by batch, with the benchmark's name."""
    with source.open_policy() as policy:
        yield partial(_answer_task, source, policy)


def _read_finished(path: Path, asked: Mapping[Key, Sample]) -> dict[Key, Attempt]:
    """The answers of an earlier, interrupted run; a torn last line is dropped."""
    if not path.exists():
        return {}
    whole = drop_torn_line(path)
    problems = Problems(str(path))
    found = [record for _, record in read_records(path, whole, problems)]
    problems.raise_if_any()
    finished: dict[Key, Attempt] = {}
    for one in found:
        key = one.set, one.id
        if key in asked:
            finished[key] = RecordedAnswer.of(one).about(asked[key]).attempt
    return finished


def _answer_task(
    source: ModelSource, policy: Policy, task: InferenceTask
) -> Iterator[tuple[str, list[AnsweredQuestion]]]:
    notation, own = source.notation, policy.encode.template
    template = choose_template(own, task.form, notation.grammar, source.prompting)
    encode = policy.encode.with_template(template)
    samples = SampleList(task.samples)
    for groups in answers_to(samples, policy, encode, source.sampler, source.num_workers):
        answers = []
        for group in groups:
            attempt = read_attempt(group, group.completions[0], notation.grammar, notation.frame)
            origin = AnswerOrigin(
                notation=notation,
                prompt=template.text(group.sample),
                prompting=source.prompting,
                seed=source.sampler.seed_of(group.sample.id, step=0),
            )
            answers.append((attempt, origin))
        yield task.set, answers
