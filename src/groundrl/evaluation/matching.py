"""Matches recorded answers with the questions of benchmarks; one error lists what does not fit."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import cast

from groundrl.errors import UserError
from groundrl.evaluation.benchmarks.base import Benchmark, QuestionSet
from groundrl.evaluation.benchmarks.published import PublishedBenchmark
from groundrl.evaluation.recorded import EXPECTED, TRUTH, RecordedAnswer, with_truth
from groundrl.records import Form, NamedImage, Sample

SHOWN = 3
"""Examples in a message."""
REPEATS_CHECKED = (Form.OPTIONS, Form.BOX)
"""Whose questions and true answers are not the same of several images, as "Is it red?" is."""


def check_distinct(name: str, samples: Sequence[Sample]) -> None:
    """Raises UserError for questions of the same id: their answers could not be told apart."""
    twice = [key for key, count in Counter(sample.id for sample in samples).items() if count > 1]
    if twice:
        raise UserError(f"{name} asks {len(twice)} questions twice, {_list_examples(twice)}")


def match_recorded(
    path: Path, recorded: Sequence[RecordedAnswer], benchmarks: Mapping[str, Benchmark]
) -> tuple[dict[str, list[RecordedAnswer]], dict[str, QuestionSet]]:
    """The recorded answers of each set, about its questions and in their order.

    The truth comes from the benchmark's files where these are given, else from the recorded file.
    Raises UserError for answers to other questions, and for questions without an answer.
    """
    if not recorded[0].set and len(benchmarks) != 1:
        names = ", ".join(benchmarks)
        raise UserError(f"{path} does not say which of {names} it answers: choose one benchmark")
    answers: dict[str, list[RecordedAnswer]] = {}
    questions: dict[str, QuestionSet] = {}
    for name, benchmark in benchmarks.items():
        own = [one for one in recorded if one.set in (name, "")]
        if not own:
            sets = ", ".join(sorted({one.set for one in recorded}))
            raise UserError(f"{path} has no answers to {name}; it has answers to {sets}")
        if isinstance(benchmark, PublishedBenchmark) and benchmark.root is None:
            answers[name] = _by_their_own_truth(f"{path}, {name}", benchmark, own)
            questions[name] = QuestionSet(
                samples=tuple(one.group.sample for one in answers[name]),
                unanswered=_unanswered(f"{path}, {name}", benchmark, len(own)),
            )
        else:
            found = _questions(benchmark)
            check_distinct(name, found.samples)
            asked, gone = _answerable(found.samples, own)
            missing = tuple(f"{one.id}: no image {one.image.key}" for one in gone)
            questions[name] = QuestionSet(samples=asked, missing=missing)
            pairs = _pairs_in_order if not own[0].set else _pairs_by_id
            answers[name] = [
                one.about(sample) for sample, one in pairs(f"{path}, {name}", asked, own)
            ]
    return answers, questions


def _questions(benchmark: Benchmark) -> QuestionSet:
    """Without images: the questions have been answered."""
    if isinstance(benchmark, PublishedBenchmark):
        return cast(PublishedBenchmark, benchmark).questions(images=False)
    return benchmark.questions()


def _by_their_own_truth(
    where: str, benchmark: PublishedBenchmark, own: list[RecordedAnswer]
) -> list[RecordedAnswer]:
    """The answers with the truth of their own file; the published files were not given."""
    if own[0].truth is None:
        return own
    form = benchmark.form
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
            f"{where}: {TRUTH} is not {EXPECTED[form]} in {len(own) - len(read)} of {len(own)} "
            f"records, for example in record {index}: {str(own[index].truth)[-80:]!r}. Choose the "
            "benchmark that was asked."
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
        raise UserError(f"{where}: {len(twice)} records are in it twice, {_list_examples(twice)}")


def _unanswered(where: str, benchmark: PublishedBenchmark, count: int) -> int:
    """How many published questions have no answer, given ``count`` answers."""
    published = benchmark.sizes.get(benchmark.part, count)
    if count > published:
        raise UserError(
            f"{where}: it holds {count} answers, and {published} questions are published: choose "
            "the benchmark that was asked, and leave no answer in it twice"
        )
    return published - count


def _answerable(
    samples: Sequence[Sample], own: Sequence[RecordedAnswer]
) -> tuple[tuple[Sample, ...], list[Sample]]:
    """The questions that have an image or an answer, and the others."""
    if own[0].set:
        ids = {one.group.sample.id for one in own}
        gone = [s for s in samples if isinstance(s.image, NamedImage) and s.id not in ids]
    else:  # only the length of a list shows whether it leaves them out
        gone = [s for s in samples if isinstance(s.image, NamedImage)]
        gone = gone if len(own) == len(samples) - len(gone) else []
    left_out = {one.id for one in gone}
    return tuple(one for one in samples if one.id not in left_out), gone


def _pairs_by_id(
    where: str, asked: Sequence[Sample], own: Sequence[RecordedAnswer]
) -> list[tuple[Sample, RecordedAnswer]]:
    answers = {one.group.sample.id: one for one in own}
    ids = {sample.id for sample in asked}
    strangers = [key for key in answers if key not in ids]
    lacking = [sample.id for sample in asked if sample.id not in answers]
    other = [s.id for s in asked if s.id in answers and _differ(s, answers[s.id])]
    _raise_mismatches(where, strangers, lacking, other, len(asked))
    return [(sample, answers[sample.id]) for sample in asked]


def _pairs_in_order(
    where: str, asked: Sequence[Sample], own: Sequence[RecordedAnswer]
) -> list[tuple[Sample, RecordedAnswer]]:
    """Lists of published outputs have no ids: their order is that of the questions."""
    pairs = list(zip(asked, own, strict=False))
    strangers = [one.group.sample.id for one in own[len(asked) :]]
    lacking = [sample.id for sample in asked[len(own) :]]
    other = [s.id for s, one in pairs if one.group.sample.options and _differ(s, one)]
    _raise_mismatches(where, strangers, lacking, other, len(asked))
    return pairs


def _differ(sample: Sample, one: RecordedAnswer) -> bool:
    return sample.question.split() != one.group.sample.question.split()


def _raise_mismatches(
    where: str, strangers: list[str], lacking: list[str], other: list[str], asked: int
) -> None:
    problems = []
    if strangers:
        problems.append(
            f"answers {len(strangers)} questions that the benchmark does not ask, "
            f"{_list_examples(strangers)}"
        )
    if lacking:
        problems.append(
            f"lacks answers to {len(lacking)} of {asked} questions, {_list_examples(lacking)}"
        )
    if other:
        problems.append(
            f"answers {len(other)} questions of another wording, {_list_examples(other)}"
        )
    if problems:
        raise UserError(f"{where}: it " + ", and ".join(problems))


def _list_examples(keys: Sequence[str]) -> str:
    return f"for example {', '.join(keys[:SHOWN])}"
