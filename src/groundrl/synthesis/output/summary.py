"""Writes the summary files of a run: skipped images, data card, metrics and report."""

from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Final

from groundrl.files import write_json, write_text
from groundrl.records import Provenance
from groundrl.report.page import REPORT
from groundrl.report.tables import duration
from groundrl.synthesis.annotations import Decision
from groundrl.synthesis.output.card import write_card
from groundrl.synthesis.output.totals import RunTotals
from groundrl.synthesis.output.writing import CARD, SKIPPED_FILE
from groundrl.synthesis.report.page import synthesis_page

MAX_REASONS: Final = 12
"""Reasons of rejections in the card."""


def write_summary(run_dir: Path, source: Provenance, totals: RunTotals, seconds: float) -> None:
    """Write the files into ``run_dir``; ``seconds``: duration of the run."""
    (run_dir / SKIPPED_FILE).unlink(missing_ok=True)
    if totals.skipped:
        lines = "".join(f"{name}\t{reason}\n" for name, reason in sorted(totals.skipped.items()))
        write_text(run_dir / SKIPPED_FILE, lines)
    figures = totals.compute_figures()
    frequent = totals.showcase.most_frequent(MAX_REASONS, Decision.REJECT)
    reasons = [(kind, reason, count) for (_, kind, reason), count in frequent]
    card = write_card(source, totals.components, figures, reasons, version("groundrl"))
    write_text(run_dir / CARD, card)
    write_json(run_dir / "metrics.json", {**figures, "time": {"total": seconds}})
    write_text(run_dir / REPORT, _render_report(run_dir, source, totals, figures, seconds))


def _render_report(
    run_dir: Path,
    source: Provenance,
    totals: RunTotals,
    figures: Mapping[str, float],
    seconds: float,
) -> str:
    config = run_dir / "resolved.yaml"
    images = totals.counts["images"] - totals.unfinished
    samples = sum(n for name, n in totals.counts.items() if name.startswith("samples/"))
    names = sorted(name for name in totals.counts if name.startswith("licences/"))
    licences = ", ".join(name.removeprefix("licences/") for name in names)
    return synthesis_page(
        f"{samples:,} samples from {images:,} images of {source.dataset}",
        [f"licence of the images: {licences}", duration(seconds), *totals.list_rates(seconds)],
        totals.components,
        figures,
        totals.showcase,
        config.read_text() if config.is_file() else "",
    )
