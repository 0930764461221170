"""The table of a sweep: one row per setting, means over seeds, published numbers beside them."""

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from markupsafe import Markup

from groundrl.errors import UserError
from groundrl.files import write_text
from groundrl.intervals import Interval, t_interval
from groundrl.report.dose_response import dose_curves
from groundrl.report.page import TEMPLATES
from groundrl.report.run_report import read_metrics
from groundrl.report.svg import Dot, dot_whisker
from groundrl.report.tables import Table, is_headline, metric_names, number, to_markdown

RUN_FILES = frozenset({"metrics.json", "error.txt", "resolved.yaml"})
"""A folder that holds one of these is a run."""
SEED = re.compile(r"(^|,)seed=[^,]*")
SOURCE = "source"

Published = Mapping[str, Mapping[str, int | float | str]]
"""Row name -> {metric: value}, in our units; the key "source" names the publication."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One job of a sweep."""

    name: str
    """Its folder below the sweep's, without the seed."""
    folder: Path
    metrics: dict[str, float] | None
    """Held-out metrics of its last stage; None when it did not finish."""
    change: dict[str, float]
    """The same minus those of the stage before."""
    error: str
    """First line of ``error.txt``."""


def find_runs(root: Path) -> list[Run]:
    """Every run below ``root``, ordered by name; UserError if there is none.

    Runs lie at any depth: ``iou+acc/seed=0``, ``model=a/reward=iou,seed=1``. A folder named after
    a seed that holds nothing yet is a run that did not finish.
    """
    runs = []
    for place, folders, files in os.walk(root):
        folder = Path(place)
        seeded = SEED.search(folder.name) is not None and not _holds_runs(folder)
        if folder == root or not (RUN_FILES.intersection(files) or seeded):
            continue
        folders.clear()  # what lies below a run is the run's own
        runs.append(_run(root, folder))
    if not runs:
        raise UserError(
            f"no runs below {root}: expected folders such as {root}/iou+acc/seed=0 with a "
            "metrics.json inside. Give the folder that a multirun wrote (hydra.sweep.dir)."
        )
    return sorted(runs, key=lambda run: (run.name, str(run.folder)))


def _holds_runs(folder: Path) -> bool:
    """Whether a run lies deeper, as in ``seed=0/reward=iou``."""
    return any(file.name in RUN_FILES for file in folder.glob("*/**/*"))


def _run(root: Path, folder: Path) -> Run:
    parts = (SEED.sub("", part).strip(",") for part in folder.relative_to(root).parts)
    stages, _ = read_metrics(folder)
    measured = list(stages.values())
    *_, before, after = {}, {}, *measured
    note = folder / "error.txt"
    error = note.read_text().strip().splitlines() if note.is_file() else []
    return Run(
        name="/".join(part for part in parts if part) or root.resolve().name,
        folder=folder,
        metrics=measured[-1] if measured else None,
        change={name: value - before[name] for name, value in after.items() if name in before},
        error=error[0] if error else "",
    )


def intervals(runs: Sequence[Run], published: Published) -> dict[str, dict[str, Interval]]:
    """Row name -> metric -> 95 % t-interval over the seeds that finished.

    Of headline metrics, and of those that have a published value.
    """
    wanted = {metric for row in published.values() for metric in row}
    result: dict[str, dict[str, Interval]] = {}
    for name, group in groupby(runs, key=lambda run: run.name):
        found = [run.metrics for run in group if run.metrics is not None]
        result[name] = {
            metric: t_interval([metrics[metric] for metrics in found if metric in metrics])
            for metric in metric_names(found)
            if is_headline(metric) or metric in wanted
        }
    return result


def sweep_table(root: Path, published: Published | None = None) -> Table:
    """One row per setting: seeds, ``mean ± half`` of each metric, published values, failures.

    Rows that only ``published`` has come last. Raises UserError without runs.
    """
    runs, published = find_runs(root), published or {}
    found = intervals(runs, published)
    metrics = list(dict.fromkeys(metric for row in found.values() for metric in row))
    published_metrics = list(
        dict.fromkeys(key for row in published.values() for key in row if key != SOURCE)
    )
    failed = any(run.metrics is None for run in runs)
    heads = ["setting", "seeds"]
    for metric in dict.fromkeys([*metrics, *published_metrics]):
        if metric in metrics:
            heads.append(metric)
        if metric in published_metrics:
            heads.append(f"{metric} (published)")
    heads += [SOURCE] * bool(published) + ["failed"] * failed
    rows = []
    for name in dict.fromkeys([*found, *published]):
        own = [run for run in runs if run.name == name]
        cells = {"setting": name, "seeds": str(sum(run.metrics is not None for run in own))}
        cells |= {metric: _format_interval(value) for metric, value in found.get(name, {}).items()}
        for key, value in published.get(name, {}).items():
            shown = value if isinstance(value, str) else number(value)
            cells[key if key == SOURCE else f"{key} (published)"] = shown
        cells["failed"] = str(sum(run.metrics is None for run in own) or "")
        rows.append(tuple(cells.get(head, "") for head in heads))
    return Table(columns=tuple(heads), rows=tuple(rows))


def change_table(runs: Sequence[Run]) -> Table:
    """Last stage minus the one before: the mean over seeds of each seed's own difference. Metrics
    that did not change are left out."""
    rows: dict[str, dict[str, str]] = {}
    for name, group in groupby(runs, key=lambda run: run.name):
        changes = [run.change for run in group if run.change]
        rows[name] = {
            metric: _format_interval(
                t_interval([change[metric] for change in changes if metric in change])
            )
            for metric in metric_names(changes)
            if is_headline(metric) and any(change.get(metric) for change in changes)
        }
    metrics = list(dict.fromkeys(metric for row in rows.values() for metric in row))
    return Table(
        columns=("setting", *metrics),
        rows=tuple(
            (name, *(cells.get(metric, "") for metric in metrics))
            for name, cells in rows.items()
            if cells
        ),
        title="Change by the last stage",
    )


def _format_interval(interval: Interval) -> str:
    """``0.600 ± 0.248``; without the half width where there is one seed only."""
    if interval.n < 2:
        return number(interval.mean)
    return f"{number(interval.mean)} ± {number((interval.high - interval.low) / 2)}"


def failures(runs: Sequence[Run]) -> Table:
    """The runs without ``metrics.json``, and why."""
    rows = tuple(
        (run.name, run.folder.name, run.error or "no error.txt: stopped from outside or running")
        for run in runs
        if run.metrics is None
    )
    return Table(columns=("setting", "folder", "error"), rows=rows)


def write_sweep(
    root: Path, published: Published | None = None, title: str = "Sweep"
) -> tuple[Path, Path]:
    """Write ``table.md`` and ``table.html`` into ``root`` and return their paths."""
    runs = find_runs(root)
    table, change, failed = sweep_table(root, published), change_table(runs), failures(runs)
    note = "± is half of the 95 % t-interval over seeds."
    markdown = f"# {title}\n\n{to_markdown(table)}\n{note}\n"
    if change.rows:
        markdown += f"\n{to_markdown(change)}"
    if failed.rows:
        markdown += f"\n## Not finished\n\n{to_markdown(failed)}"
    html = TEMPLATES.get_template("sweep.html.jinja").render(
        title=title,
        table=table,
        note=note,
        published=published,
        change=change,
        plots=_plot_metrics(intervals(runs, published or {}), published or {}),
        failed=failed,
    )
    paths = root / "table.md", root / "table.html"
    write_text(paths[0], markdown)
    write_text(paths[1], html)
    return paths


def _plot_metrics(
    found: Mapping[str, Mapping[str, Interval]], published: Published
) -> list[Markup]:
    """Curves of doses, then one dot-and-whisker plot per metric, the published values as
    diamonds."""
    plots = [curve.chart for curve in dose_curves(found)]
    for metric in dict.fromkeys(metric for row in found.values() for metric in row):
        dots = []
        for name, row in found.items():
            if metric in row:
                value = published.get(name, {}).get(metric)
                dots.append(
                    Dot(
                        name=name,
                        value=row[metric].mean,
                        low=row[metric].low,
                        high=row[metric].high,
                        published=float(value) if isinstance(value, int | float) else None,
                    )
                )
        plots.append(dot_whisker(metric, dots))
    return plots
