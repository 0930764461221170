"""Figures of an evaluation: one row per benchmark, warnings, every figure with its meaning."""

from collections.abc import Mapping

from markupsafe import Markup

from groundrl.figures import FigureInfos
from groundrl.report.charts.svg import Dot, dot_whisker
from groundrl.report.page import TEMPLATES
from groundrl.report.tables import BOUNDS, Metrics, Table, number

OTHER_FRAME = "iou_as_"
"""Begins figures of what the mean IoU would be if the boxes were meant in another frame."""

Infos = Mapping[str, FigureInfos]
"""What the figures of each benchmark mean, by its name; as the benchmarks declare them."""


def by_benchmark(metrics: Metrics) -> dict[str, dict[str, float]]:
    """Benchmark -> its figures, names without the benchmark's."""
    found: dict[str, dict[str, float]] = {}
    for name, value in metrics.items():
        head, _, tail = name.partition("/")
        found.setdefault(head, {})[tail] = value
    return found


def interval(figures: Metrics, name: str) -> str:
    """``0.430 [0.337, 0.528]``: a value and its 95 % interval; empty if absent."""
    if name not in figures:
        return ""
    bounds = [number(figures[name + bound]) for bound in BOUNDS if name + bound in figures]
    return number(figures[name]) + (f" [{', '.join(bounds)}]" if bounds else "")


def quoted_figures(figures: Metrics, infos: FigureInfos) -> list[str]:
    """The figures that a benchmark is quoted by, as far as it has them."""
    return [name for name, info in infos.items() if info.quoted and name in figures]


def benchmark_table(metrics: Metrics, infos: Infos) -> Table:
    """One row per benchmark; columns that no benchmark fills are left out."""
    rows = []
    for name, own in by_benchmark(metrics).items():
        unread = next((key for key in ("unparsed", "no_box") if key in own), "")
        boxes = f"{number(own['boxes'])} of {number(own['boxes_true'])}" if "boxes" in own else ""
        rows.append(
            (
                name,
                f"{own['n']:.0f}" if "n" in own else "",
                "\n".join(
                    f"{key} {interval(own, key)}"
                    for key in quoted_figures(own, infos.get(name, {}))
                ),
                interval(own, "iou"),
                boxes,
                number(own["format"]) if "format" in own else "",
                number(own[unread]) if unread else "",
                f"{own['missing']:.0f}" if "missing" in own else "",
            )
        )
    heads = (
        *("benchmark", "n", "figures", "iou", "boxes of true"),
        *("format", "unreadable", "missing"),
    )
    kept = [k for k in range(len(heads)) if k < 3 or any(row[k] for row in rows)]
    return Table(
        columns=tuple(heads[k] for k in kept),
        rows=tuple(tuple(row[k] for k in kept) for row in rows),
    )


def alarms(metrics: Metrics, infos: Infos) -> list[str]:
    """Why figures are doubtful, one sentence each."""
    lines = []
    for name, own in by_benchmark(metrics).items():
        lines += [
            f"{name}: {own[key]:.0%} {info.alarm}"
            for key, info in infos.get(name, {}).items()
            if info.alarm_from is not None and own.get(key, 0) >= info.alarm_from
        ]
        lines += [
            f"{name}: boxes read as {key.removeprefix(OTHER_FRAME)} would have an iou of "
            f"{value:.2f} instead of {own.get('iou', 0):.2f}: is the frame right that was said?"
            for key, value in own.items()
            if key.startswith(OTHER_FRAME)
        ]
        if own.get("missing"):
            asked = own.get("n", 0)
            lines.append(
                f"{name}: {own['missing']:.0f} of {own['missing'] + asked:.0f} published questions "
                f"have no answer here; figures are over the other {asked:.0f}"
            )
    return lines


def results(metrics: Metrics, infos: Infos) -> Markup:
    """Warnings, the table, a plot of what benchmarks are quoted by, then every figure, as HTML."""
    html = TEMPLATES.get_template("benchmarks.html.jinja").render(
        alarms=alarms(metrics, infos),
        table=benchmark_table(metrics, infos),
        plots=_plots(metrics, infos),
        benchmarks=[
            _details(name, own, infos.get(name, {})) for name, own in by_benchmark(metrics).items()
        ],
    )
    return Markup(html)


def _plots(metrics: Metrics, infos: Infos) -> list[Markup]:
    """Shares on one axis; sums such as MME's on another."""
    shares, sums = [], []
    for name, own in by_benchmark(metrics).items():
        for key in quoted_figures(own, infos.get(name, {})):
            dot = _dot(f"{name} {key}", own, key)
            (shares if max(dot.high, dot.value) <= 1 else sums).append(dot)
    return [
        dot_whisker(title, dots)
        for title, dots in (("shares, 95 % intervals", shares), ("sums and ratings", sums))
        if dots
    ]


def _dot(shown: str, own: Metrics, name: str) -> Dot:
    value = own[name]
    low, high = (own.get(name + bound, value) for bound in BOUNDS)
    return Dot(name=shown, value=value, low=low, high=high)


def _details(name: str, own: Mapping[str, float], infos: FigureInfos) -> dict[str, object]:
    """Every figure of a benchmark with its meaning; accuracies of kinds as a plot."""
    meanings = {figure: info.meaning for figure, info in infos.items()}
    names = [key for key in own if not key.endswith(BOUNDS)]
    kinds = sorted((key for key in names if key.endswith("/acc")), key=lambda key: own[key])
    rows = tuple(
        (key, interval(own, key), meanings.get(key.rpartition("/")[2], ""))
        for key in names
        if key not in kinds
    )
    dots = [_dot(key.removesuffix("/acc"), own, key) for key in kinds]
    return {
        "name": name,
        "table": Table(columns=("figure", "value", "meaning"), rows=rows),
        "plot": dot_whisker("acc by kind of question", dots) if dots else None,
    }
