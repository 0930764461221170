"""Two evaluations of the same questions, compared question by question."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np

from groundrl.answers.record import AnswerRecord, read_records
from groundrl.data.problems import Problems
from groundrl.errors import UserError
from groundrl.evaluation.benchmarks.base import Benchmark, ScoredAttempt
from groundrl.evaluation.recorded import RecordedAnswer
from groundrl.evaluation.resampling import paired_figures
from groundrl.files import write_json, write_text
from groundrl.intervals import Interval, bootstrap, mcnemar
from groundrl.report.charts.svg import Dot, dot_whisker
from groundrl.report.page import REPORT, load_templates
from groundrl.report.tables import Table, number, to_text

ALWAYS_SHOWN = ("correct", "iou", "score", "box_iou")
"""Scores that are shown even where no answer differs; the others are left out then."""

LEGEND = (
    "change is the second run minus the first; its 95 % interval is a paired bootstrap over "
    "images, p is McNemar's exact test"
)
"""Below the table of the page."""

Pair = tuple[float | None, float | None]
"""A score in both runs; None where it is not there."""

Records = Mapping[tuple[str, str], AnswerRecord]
"""By set and id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """What a score or figure is in both runs, over the questions that both answered."""

    name: str
    """``<set>/<score or figure>``."""
    a: float
    b: float
    change: Interval
    """b - a, with its 95 % interval by paired bootstrap over images."""
    p: float | None
    """Of McNemar's exact test, for scores that are right or wrong; else None."""


def read_run(place: str) -> tuple[Path, Records]:
    """The predictions of a run directory, or of a file. Raises UserError."""
    path = Path(place).expanduser()
    path = path / "predictions.jsonl" if path.is_dir() else path
    if not path.is_file():
        raise UserError(
            f"compare: {path} does not exist. Type compare=[<run>,<run>] with two directories that "
            "evaluate.py printed last."
        )
    problems = Problems(str(path))
    records: dict[tuple[str, str], AnswerRecord] = {}
    for where, record in read_records(path, path.read_bytes(), problems):
        key = record.set, record.id
        if key in records:
            problems.add(where, f"a second answer to question {key[1]!r} of {key[0]!r}")
        records[key] = record
    problems.raise_if_any()
    return path, records


def compare(
    a: Records, b: Records, benchmarks: Mapping[str, Benchmark] = MappingProxyType({})
) -> list[Difference]:
    """Every score of every set that both have, and the figures of those whose benchmark is given.

    Raises UserError when they share no question.
    """
    shared = [key for key in a if key in b]
    if not shared:
        sets = [", ".join(sorted({key[0] for key in one})) or "nothing" for one in (a, b)]
        raise UserError(
            f"the two runs share no question: one answers {sets[0]}, the other {sets[1]}. Evaluate "
            "both on the same benchmark."
        )
    other = [key for key in shared if a[key].question != b[key].question]
    if other:
        raise UserError(
            f"the two runs ask {len(other)} questions of the same name in other words, for example "
            f"{other[0][1]!r} of {other[0][0]}: compare runs of the same benchmark"
        )
    found = []
    for name in dict.fromkeys(key[0] for key in shared):
        keys = [key for key in shared if key[0] == name]
        images = [a[key].image_key for key in keys]
        for score, rows in _pair_scores(a, b, keys).items():
            found += _difference(f"{name}/{score}", rows, images)
        if name in benchmarks:
            known = {one.name for one in found}
            infos = benchmarks[name].figure_infos
            first, second = ([_scored_attempt(run[key]) for key in keys] for run in (a, b))
            figures = paired_figures(name, benchmarks[name], first, second)
            for figure, (x, y, change) in figures.items():
                full = f"{name}/{figure}"
                score = infos[figure].score if figure in infos else ""
                compared = full in known or f"{name}/{score}" in known
                if not compared and (x, change.low, change.high) != (y, 0, 0):
                    found.append(Difference(name=full, a=x, b=y, change=change, p=None))
    return found


def _scored_attempt(record: AnswerRecord) -> ScoredAttempt:
    return ScoredAttempt(attempt=RecordedAnswer.of(record).attempt, scores=record.scores)


def list_unpaired(a: Records, b: Records) -> list[str]:
    """What a comparison leaves out: questions or scores that only one run has."""
    found = [
        f"{len(own.keys() - other.keys())} of {len(own)} questions of the {place} run are left "
        "out, the other run does not answer them"
        for place, own, other in (("first", a, b), ("second", b, a))
        if own.keys() - other.keys()
    ]
    shared = [key for key in a if key in b]
    for name in dict.fromkeys(key[0] for key in shared):
        keys = [key for key in shared if key[0] == name]
        for score, rows in _pair_scores(a, b, keys).items():
            alone = sum((x is None) != (y is None) for x, y in rows)
            if alone:
                found.append(
                    f"{name}/{score}: {alone} of {len(rows)} questions are left out, only one run "
                    "has this score of them"
                )
    return found


def _pair_scores(a: Records, b: Records, keys: Sequence[tuple[str, str]]) -> dict[str, list[Pair]]:
    """Every score that an answer has, of all answers; the verdict first, then IoU."""
    scores = [(_scores(a[key]), _scores(b[key])) for key in keys]
    names = dict.fromkeys(name for pair in scores for one in pair for name in one)
    order = [*(name for name in ("correct", "iou") if name in names), *names]
    return {name: [(x.get(name), y.get(name)) for x, y in scores] for name in dict.fromkeys(order)}


def _scores(record: AnswerRecord) -> dict[str, float]:
    """Those of a benchmark; answers of a training have none, but are right or wrong as well."""
    right = {} if record.correct is None else {"correct": float(record.correct)}
    boxes = {} if record.iou is None else {"iou": record.iou}
    return {**right, **record.scores, **boxes}


def _difference(name: str, rows: list[Pair], images: list[str]) -> list[Difference]:
    pairs = [
        (x, y, image)
        for (x, y), image in zip(rows, images, strict=True)
        if x is not None and y is not None
    ]
    quoted = name.rpartition("/")[2] in ALWAYS_SHOWN
    if not pairs or not (quoted or any(x != y for x, y, _ in pairs)):
        return []
    a, b = (np.array([pair[place] for pair in pairs], dtype=np.float64) for place in (0, 1))
    p = None
    if name.endswith("/correct"):
        p = mcnemar(int(((a == 1) & (b == 0)).sum()), int(((a == 0) & (b == 1)).sum()))
    change = bootstrap(b - a, [pair[2] for pair in pairs])
    return [Difference(name=name, a=float(a.mean()), b=float(b.mean()), change=change, p=p)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Two run directories of evaluate.py."""

    places: tuple[str, str]
    run_dir: Path
    benchmarks: Mapping[str, Benchmark]
    """By the set that both ask; of other sets the scores of answers alone are compared."""

    def run(self) -> str:
        """Compare question by question; write ``metrics.json`` and ``report.html``. Returns the
        text for the terminal: the table, what was left out, the run directory."""
        (path_a, a), (path_b, b) = (read_run(place) for place in self.places)
        found = compare(a, b, self.benchmarks)
        left_out = list_unpaired(a, b)
        left_out += [
            f"{name}: its scores are compared answer by answer only, for no resolved.yaml beside "
            "both files says which benchmark it is"
            for name in dict.fromkeys(key[0] for key in a if key in b)
            if name not in self.benchmarks
        ]
        figures: dict[str, float] = {}
        for one in found:
            figures |= {f"{one.name}_a": one.a, f"{one.name}_b": one.b}
            figures |= one.change.figures(f"{one.name}_change")
            figures |= {f"{one.name}_n": float(one.change.n)}
            figures |= {} if one.p is None else {f"{one.name}_p": one.p}
        write_json(self.run_dir / "metrics.json", figures)
        shown = make_table(found)
        dots = [
            Dot(name=one.name, value=one.change.mean, low=one.change.low, high=one.change.high)
            for one in found
            if one.name.rpartition("/")[2] in ALWAYS_SHOWN
        ]
        page = load_templates("groundrl.evaluation").get_template("comparison.html.jinja")
        html = page.render(
            title="Two runs",
            facts=[f"first {path_a}", f"second {path_b}"],
            problems=left_out,
            table=shown,
            legend=LEGEND,
            plots=[dot_whisker("change, second minus first", dots)] if dots else [],
        )
        write_text(self.run_dir / REPORT, html)
        return "\n".join([to_text(shown), *left_out, str(self.run_dir)])


def make_table(found: list[Difference]) -> Table:
    """One row per score."""
    rows = tuple(
        (
            one.name,
            number(one.a),
            number(one.b),
            f"{one.change.mean:+.3f}",
            f"{one.change.low:+.3f}",
            f"{one.change.high:+.3f}",
            "" if one.p is None else f"{one.p:.4f}",
            str(one.change.n),
        )
        for one in found
    )
    columns = ("score", "first", "second", "change", "low", "high", "p", "n")
    return Table(columns=columns, rows=rows)
