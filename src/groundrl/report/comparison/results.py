"""The results of each setting, in the mean over its runs."""

from collections.abc import Sequence

from groundrl.figures import read_infos
from groundrl.intervals import t_interval
from groundrl.report.benchmark_table import alarms, by_benchmark, quoted_figures
from groundrl.report.comparison.runs import ComparedRun, by_setting
from groundrl.report.sweep import format_interval
from groundrl.report.tables import Table, estimate, is_headline, metric_names

RESULTS_LEGEND = (
    "± is half of the 95 % interval: over seeds where a setting has several runs, else over "
    "questions. A reward is that of its own run: settings with other terms cannot be compared "
    "by it."
)


def results_tables(runs: Sequence[ComparedRun]) -> tuple[Table, Table]:
    """One column per setting: how many runs it has and the main figures of their last stages; all
    other figures."""
    settings = by_setting(runs)
    names = metric_names([run.figures for run in runs])
    main = {name for run in runs for name in _main_figures(run)}
    rows = {
        name: (name, *(_mean_over_runs(name, own) for own in settings.values())) for name in names
    }
    counts = ("runs", *(str(len(own)) for own in settings.values()))
    columns = ("figure", *settings)
    return (
        Table(columns=columns, rows=(counts, *(rows[name] for name in names if name in main))),
        Table(columns=columns, rows=tuple(rows[name] for name in names if name not in main)),
    )


def _main_figures(run: ComparedRun) -> list[str]:
    """Headlines; of a benchmark what it is quoted by, and the IoU."""
    infos = read_infos(run.folder)
    return [
        f"{name}/{figure}"
        for name, own in by_benchmark(run.figures).items()
        for figure in own
        if (
            figure in (*quoted_figures(own, infos[name]), "iou")
            if name in infos
            else is_headline(f"{name}/{figure}")
        )
    ]


def list_alarms(runs: Sequence[ComparedRun]) -> list[str]:
    """Why figures of benchmarks are doubtful, one sentence each."""
    return [
        f"{run.name}: {line}"
        for run in runs
        for line in alarms(run.figures, read_infos(run.folder))
    ]


def _mean_over_runs(name: str, runs: Sequence[ComparedRun]) -> str:
    if len(runs) == 1:
        return estimate(runs[0].figures, name)
    values = [run.figures[name] for run in runs if name in run.figures]
    return format_interval(t_interval(values)) if values else ""
