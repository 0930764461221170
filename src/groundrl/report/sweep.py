"""The tables of a sweep: one row per setting, means over seeds, published numbers beside them."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from markupsafe import Markup

from groundrl.files import write_text
from groundrl.intervals import Interval, t_interval
from groundrl.metrics import EVALUATION
from groundrl.report.charts.dose_response import dose_curves
from groundrl.report.charts.svg import Dot, dot_whisker
from groundrl.report.page import TEMPLATES
from groundrl.report.runs import Run
from groundrl.report.tables import Table, is_headline, metric_names, number, to_markdown

SOURCE = "source"
USUAL = ("acc", "iou")
"""Of our own held-out metrics, what a sweep is about that does not say so."""
LAST_CHANGE = "Change by the last stage"

NO_TABLE = Table(columns=(), rows=())

Published = Mapping[str, Mapping[str, int | float | str]]
"""Row name -> {metric: value}, in our units; the key "source" names the publication."""

Means = dict[str, dict[str, Interval]]
"""Row name -> metric -> 95 % t-interval over the seeds that finished."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """What a sweep is about."""

    title: str
    metrics: Sequence[str] = ()
    """Those of its conclusions; they are shown first, then those that are published."""
    published: Published
    conclusions: Table = NO_TABLE
    explained: Sequence[str] = ()
    """Each of them in words."""


def choose_metrics(runs: Sequence[Run], study: Study) -> tuple[list[str], list[str]]:
    """The metrics that the study is about, measured or published, and the others, measured.

    Without any of them it is about accuracy, IoU and the figures of benchmarks; or, where nothing
    of these was measured either, about everything.
    """
    measured = metric_names([run.metrics for run in runs if run.metrics is not None])
    published = (key for row in study.published.values() for key in row if key != SOURCE)
    main = list(dict.fromkeys([*study.metrics, *published]))
    if not main:
        names = [name.rpartition("/")[2] for name in measured]
        pairs = zip(measured, names, strict=True)
        usual = [m for m, name in pairs if name in USUAL or name not in EVALUATION]
        main = [metric for metric in usual if is_headline(metric)] or measured
    return main, [metric for metric in measured if metric not in main]


def mean_over_seeds(
    runs: Sequence[Run],
    metrics: Collection[str],
    values: Callable[[Run], Mapping[str, float] | None],
) -> Means:
    """Those of ``metrics`` that are among the ``values`` of a run."""
    result: Means = {}
    for name, group in groupby(runs, key=lambda run: run.name):
        found = [one for run in group if (one := values(run)) is not None]
        result[name] = {
            metric: t_interval([one[metric] for one in found if metric in one])
            for metric in metrics
            if any(metric in one for one in found)
        }
    return result


def sweep_table(runs: Sequence[Run], metrics: Sequence[str], published: Published) -> Table:
    """One row per setting: seeds, failures, ``mean ± half`` of each metric that was measured, its
    published value. Rows that only ``published`` has come last."""
    found = mean_over_seeds(runs, metrics, lambda run: run.metrics)
    measured = [metric for metric in metrics if any(metric in row for row in found.values())]
    printed = {metric for row in published.values() for metric in row}
    heads = ["setting", "seeds"] + ["failed"] * any(run.metrics is None for run in runs)
    for metric in measured:
        heads += [metric] + [f"{metric} (published)"] * (metric in printed)
    rows = []
    for name in dict.fromkeys([*found, *published]):
        figures = published.get(name, {})
        if name not in found and not {*figures}.intersection(measured):
            continue
        own = [run for run in runs if run.name == name]
        failed = sum(run.metrics is None for run in own)
        cells = {"setting": name, "seeds": str(len(own) - failed), "failed": str(failed or "")}
        cells |= {metric: _cell(found[name], metric) for metric in found.get(name, ())}
        cells |= {f"{key} (published)": _figure(value) for key, value in figures.items()}
        rows.append(tuple(cells.get(head, "") for head in heads))
    return Table(columns=tuple(heads), rows=tuple(rows))


def published_table(published: Published) -> Table:
    """What was published of each setting, and where."""
    heads = list(dict.fromkeys(key for row in published.values() for key in row if key != SOURCE))
    heads += [SOURCE] * bool(published)
    return Table(
        columns=("setting", *heads),
        rows=tuple(
            (name, *(_figure(row[head]) if head in row else "" for head in heads))
            for name, row in published.items()
        ),
        title="Published",
    )


def _figure(value: int | float | str) -> str:
    return value if isinstance(value, str) else number(value)


def change_table(runs: Sequence[Run], metrics: Sequence[str]) -> Table:
    """Last stage minus the one before: the mean over seeds of each seed's own difference. Metrics
    that did not change are left out."""
    changed = _changed(runs, metrics)
    found = mean_over_seeds(runs, changed, lambda run: run.change)
    return Table(
        columns=("setting", *changed),
        rows=tuple(
            (name, *(_cell(row, metric) for metric in changed))
            for name, row in found.items()
            if row
        ),
        title=LAST_CHANGE,
    )


def _changed(runs: Sequence[Run], metrics: Sequence[str]) -> list[str]:
    """Those of ``metrics`` that the last stage of any run changed."""
    return [metric for metric in metrics if any(run.change.get(metric) for run in runs)]


def other_tables(runs: Sequence[Run], metrics: Sequence[str]) -> Iterator[Table]:
    """One row per metric and one column per setting, because there are many: values, and changes
    by the last stage."""
    means = mean_over_seeds(runs, metrics, lambda run: run.metrics)
    changes = mean_over_seeds(runs, _changed(runs, metrics), lambda run: run.change)
    for title, found in (("", means), (LAST_CHANGE, changes)):
        rows = tuple(
            (metric, *(_cell(row, metric) for row in found.values()))
            for metric in metrics
            if any(metric in row for row in found.values())
        )
        if rows:
            yield Table(columns=("metric", *found), rows=rows, title=title)


def _cell(row: Mapping[str, Interval], metric: str) -> str:
    return format_interval(row[metric]) if metric in row else ""


def format_interval(interval: Interval) -> str:
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


def write_sweep(root: Path, runs: Sequence[Run], study: Study) -> tuple[Path, Path]:
    """Write ``table.md`` and ``table.html`` into ``root`` and return their paths."""
    main, others = choose_metrics(runs, study)
    table, change = sweep_table(runs, main, study.published), change_table(runs, main)
    printed, failed = published_table(study.published), failures(runs)
    more = [*other_tables(runs, others)]
    note = "± is half of the 95 % t-interval over seeds."
    parts = [f"# {study.title}"]
    if study.conclusions.rows:
        parts.append(to_markdown(study.conclusions))
        parts.append("\n".join(f"* {sentence}" for sentence in study.explained))
    parts += [to_markdown(table), note]
    parts += [to_markdown(one) for one in (change, printed) if one.rows]
    parts += ["## Not finished", to_markdown(failed)] if failed.rows else []
    parts += ["## Other metrics", *map(to_markdown, more)] if more else []
    html = TEMPLATES.get_template("sweep.html.jinja").render(
        study=study,
        title=study.title,
        table=table,
        note=note,
        change=change,
        published=printed,
        plots=_plot_metrics(runs, main, study.published),
        other_plots=_plot_metrics(runs, [*filter(is_headline, others)], study.published),
        others=more,
        failed=failed,
    )
    paths = root / "table.md", root / "table.html"
    write_text(paths[0], "\n\n".join(part.strip() for part in parts) + "\n")
    write_text(paths[1], html)
    return paths


def _plot_metrics(
    runs: Sequence[Run], metrics: Sequence[str], published: Published
) -> list[Markup]:
    """Curves of doses, then one dot-and-whisker plot per metric, the published values as
    diamonds."""
    found = mean_over_seeds(runs, metrics, lambda run: run.metrics)
    plots = [curve.chart for curve in dose_curves(found)]
    for metric in metrics:
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
        plots += [dot_whisker(metric, dots)] if dots else []
    return plots
