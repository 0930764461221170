"""Compares two evaluations, prints the table, and leaves it in a run directory."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from groundrl.evaluation.benchmarks.base import Benchmark
from groundrl.evaluation.comparison import (
    QUOTED,
    Difference,
    compare,
    read_predictions_of,
    unpaired,
)
from groundrl.files import write_json, write_text
from groundrl.report.page import REPORT, load_templates
from groundrl.report.svg import Dot, dot_whisker
from groundrl.report.tables import Table, number, to_text

logger = logging.getLogger(__name__)

LEGEND = (
    "change is the second run minus the first; its 95 % interval is a paired bootstrap over "
    "images, p is McNemar's exact test"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Two run directories of evaluate.py."""

    places: tuple[str, str]
    run_dir: Path
    benchmarks: Mapping[str, Benchmark]
    """By the set that both ask; of other sets the scores of answers alone are compared."""

    def run(self) -> list[Difference]:
        """Compare question by question; write ``metrics.json`` and ``report.html``."""
        (path_a, a), (path_b, b) = (read_predictions_of(place) for place in self.places)
        found = compare(a, b, self.benchmarks)
        passed_over = unpaired(a, b)
        passed_over += [
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
        shown = table(found)
        dots = [
            Dot(name=one.name, value=one.change.mean, low=one.change.low, high=one.change.high)
            for one in found
            if one.name.rpartition("/")[2] in QUOTED
        ]
        page = load_templates("groundrl.evaluation").get_template("comparison.html.jinja")
        html = page.render(
            title="Two runs",
            facts=[f"first {path_a}", f"second {path_b}"],
            problems=passed_over,
            table=shown,
            legend=LEGEND,
            plots=[dot_whisker("change, second minus first", dots)] if dots else [],
        )
        write_text(self.run_dir / REPORT, html)
        logger.info(to_text(shown))
        for line in passed_over:
            logger.info(line)
        logger.info(self.run_dir)
        return found


def table(found: list[Difference]) -> Table:
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
