"""Recorded answers find their questions; what does not fit together is told at once."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from groundrl.errors import UserError
from groundrl.evaluation.benchmarks.base import Benchmark, Questions
from groundrl.evaluation.benchmarks.files import Published
from groundrl.evaluation.recorded import EXPECTED, TRUTH, Recorded, with_truth
from groundrl.records import Sample

SHOWN = 3
"""Examples in a message."""


def check_distinct(name: str, samples: Sequence[Sample]) -> None:
    """Raises UserError for questions of the same id: their answers could not be told apart."""
    twice = [key for key, count in Counter(sample.id for sample in samples).items() if count > 1]
    if twice:
        raise UserError(f"{name} asks {len(twice)} questions twice, {_some(twice)}")


def match_recorded(
    path: Path, recorded: Sequence[Recorded], benchmarks: Mapping[str, Benchmark]
) -> tuple[dict[str, list[Recorded]], dict[str, Questions]]:
    """The recorded answers of each set, about its questions and in their order.

    The truth comes from the benchmark's files where these are given, else from the recorded file.
    Raises UserError for answers to other questions, and for questions without an answer.
    """
    if not recorded[0].set and len(benchmarks) != 1:
        names = ", ".join(benchmarks)
        raise UserError(f"{path} does not say which of {names} it answers: choose one benchmark")
    answers: dict[str, list[Recorded]] = {}
    questions: dict[str, Questions] = {}
    for name, benchmark in benchmarks.items():
        own = [one for one in recorded if one.set in (name, "")]
        if not own:
            sets = ", ".join(sorted({one.set for one in recorded}))
            raise UserError(f"{path} has no answers to {name}; it has answers to {sets}")
        if isinstance(benchmark, Published) and benchmark.root is None:
            answers[name] = _by_their_own_truth(f"{path}, {name}", benchmark, own)
            samples = tuple(one.group.sample for one in answers[name])
            questions[name] = Questions(samples=samples)
        else:
            questions[name] = benchmark.questions()
            asked = questions[name].samples
            check_distinct(name, asked)
            pairs = _pairs_in_order if not own[0].set else _pairs_by_id
            answers[name] = [
                one.about(sample) for sample, one in pairs(f"{path}, {name}", asked, own)
            ]
    return answers, questions


def _by_their_own_truth(where: str, benchmark: Published, own: list[Recorded]) -> list[Recorded]:
    """What a file says of itself, where nobody gave the published one."""
    if own[0].truth is None:
        return own
    form = benchmark.form
    if form not in EXPECTED or not benchmark.told_by_lists:
        raise UserError(
            f"{where}: more belongs to its truth than a list can tell: type data.root=<folder>"
        )
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


def _pairs_by_id(
    where: str, asked: Sequence[Sample], own: Sequence[Recorded]
) -> list[tuple[Sample, Recorded]]:
    answers = {one.group.sample.id: one for one in own}
    ids = {sample.id for sample in asked}
    strangers = [key for key in answers if key not in ids]
    lacking = [sample.id for sample in asked if sample.id not in answers]
    other = [s.id for s in asked if s.id in answers and _differ(s, answers[s.id])]
    _complain(where, strangers, lacking, other, len(asked))
    return [(sample, answers[sample.id]) for sample in asked]


def _pairs_in_order(
    where: str, asked: Sequence[Sample], own: Sequence[Recorded]
) -> list[tuple[Sample, Recorded]]:
    """Lists of published outputs do not name their questions: only their order does."""
    pairs = list(zip(asked, own, strict=False))
    strangers = [one.group.sample.id for one in own[len(asked) :]]
    lacking = [sample.id for sample in asked[len(own) :]]
    other = [s.id for s, one in pairs if one.group.sample.question and _differ(s, one)]
    _complain(where, strangers, lacking, other, len(asked))
    return pairs


def _differ(sample: Sample, one: Recorded) -> bool:
    return sample.question.split() != one.group.sample.question.split()


def _complain(
    where: str, strangers: list[str], lacking: list[str], other: list[str], asked: int
) -> None:
    problems = []
    if strangers:
        problems.append(f"answers {len(strangers)} questions nobody asks, {_some(strangers)}")
    if lacking:
        problems.append(f"lacks answers to {len(lacking)} of {asked} questions, {_some(lacking)}")
    if other:
        problems.append(f"answers {len(other)} questions of another wording, {_some(other)}")
    if problems:
        raise UserError(f"{where}: it " + ", and ".join(problems))


def _some(keys: Sequence[str]) -> str:
    return f"for example {', '.join(keys[:SHOWN])}"
