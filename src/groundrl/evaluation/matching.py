"""Matches recorded answers with the questions of benchmarks; one error lists what does not fit."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import cast

from groundrl.errors import UserError
from groundrl.evaluation.benchmarks.base import Benchmark, QuestionSet
from groundrl.evaluation.benchmarks.published import PublishedBenchmark
from groundrl.evaluation.pairing import list_examples, pair_by_clues, pair_by_id
from groundrl.evaluation.recorded import EXPECTED, RecordedAnswer, with_truth
from groundrl.records import Form, Sample

REPEATS_CHECKED = (Form.OPTIONS, Form.BOX)
"""Whose questions and true answers are not the same of several images, as "Is it red?" is."""


def check_distinct(name: str, samples: Sequence[Sample]) -> None:
    """Raises UserError for questions of the same id: their answers could not be told apart."""
    twice = [key for key, count in Counter(sample.id for sample in samples).items() if count > 1]
    if twice:
        raise UserError(f"{name} asks {len(twice)} questions twice, {list_examples(twice)}")


def match_recorded(
    path: Path, recorded: Sequence[RecordedAnswer], benchmarks: Mapping[str, Benchmark]
) -> tuple[dict[str, list[RecordedAnswer]], dict[str, QuestionSet]]:
    """The recorded answers of each set, about its questions and in their order.

    The truth comes from the benchmark's files where these are given, else from the recorded file.
    Raises UserError for answers to other questions, and for questions without an answer.
    """
    untold = any(not one.set and one.clue.part is None for one in recorded)
    if untold and len(benchmarks) != 1:
        names = ", ".join(benchmarks)
        raise UserError(f"{path} does not say which of {names} it answers: choose one benchmark")
    answers: dict[str, list[RecordedAnswer]] = {}
    questions: dict[str, QuestionSet] = {}
    for name, benchmark in benchmarks.items():
        own = [one for one in recorded if _is_about(one, name, benchmark)]
        if not own:
            sets = ", ".join(sorted({one.set or one.clue.part or "" for one in recorded}))
            raise UserError(
                f"{path} has no answers to {name}; it has answers to {sets}. Those of training are "
                "taken by benchmark=recorded"
            )
        if isinstance(benchmark, PublishedBenchmark) and benchmark.root is None:
            answers[name] = _by_their_own_truth(f"{path}, {name}", benchmark, own)
            questions[name] = QuestionSet(
                samples=tuple(one.group.sample for one in answers[name]),
                unanswered=_unanswered(f"{path}, {name}", benchmark, len(own)),
            )
        else:
            found = _questions(benchmark)
            check_distinct(name, found.samples)
            find = pair_by_id if own[0].set else pair_by_clues
            pairs = find(f"{path}, {name}", found.samples, own)
            answered = {sample.id for sample, _ in pairs}
            gone = [sample for sample in found.samples if sample.id not in answered]
            questions[name] = QuestionSet(
                samples=tuple(sample for sample, _ in pairs),
                missing=tuple(f"{one.id}: no image {one.image.key}" for one in gone),
            )
            answers[name] = [one.about(sample) for sample, one in pairs]
    return answers, questions


def _is_about(one: RecordedAnswer, name: str, benchmark: Benchmark) -> bool:
    if one.set or one.clue.part is None:
        return one.set in (name, "")
    return isinstance(benchmark, PublishedBenchmark) and benchmark.part == one.clue.part


def _questions(benchmark: Benchmark) -> QuestionSet:
    """Without images: the questions have been answered."""
    if isinstance(benchmark, PublishedBenchmark):
        return cast(PublishedBenchmark, benchmark).questions(images=False)
    return benchmark.questions()


def _by_their_own_truth(
    where: str, benchmark: PublishedBenchmark, own: list[RecordedAnswer]
) -> list[RecordedAnswer]:
    """The answers with the truth of their own file; the published files were not given."""
    if own[0].set:
        return own
    form = benchmark.form
    if any(one.truth is None for one in own):
        raise UserError(f"{where}: it does not hold the right answers: type data.root=<folder>")
    if form not in EXPECTED or not benchmark.scored_from_lists:
        raise UserError(
            f"{where}: more belongs to its truth than a list can tell: type data.root=<folder>"
        )
    if form in REPEATS_CHECKED:
        _check_repeated(where, own)
    found = [with_truth(one, form) for one in own]
    read = [one for one in found if one is not None]
    if len(read) < len(own):
        index = found.index(None)
        raise UserError(
            f"{where}: the right answer is not {EXPECTED[form]} in {len(own) - len(read)} of "
            f"{len(own)} records, for example in record {index}: {str(own[index].truth)[-80:]!r}. "
            "Choose the benchmark that was asked."
        )
    return read


def _check_repeated(where: str, own: Sequence[RecordedAnswer]) -> None:
    """Raises UserError for records that are word for word another's."""
    seen: dict[tuple[str, str], int] = {}
    twice = []
    for index, one in enumerate(own):
        assert one.truth is not None
        if one.origin.prompt:
            first = seen.setdefault((one.origin.prompt, one.truth), index)
            same = own[first].group.completions == one.group.completions
            twice += [f"{index} and {first}"] if first < index and same else []
    if twice:
        raise UserError(f"{where}: {len(twice)} records are in it twice, {list_examples(twice)}")


def _unanswered(where: str, benchmark: PublishedBenchmark, count: int) -> int:
    """How many published questions have no answer, given ``count`` answers."""
    published = benchmark.sizes.get(benchmark.part, count)
    if count > published:
        raise UserError(
            f"{where}: it holds {count} answers, and {published} questions are published: choose "
            "the benchmark that was asked, and leave no answer in it twice"
        )
    return published - count
