"""``report.html``: one page that tells how a run went, made of the run's own files."""

import html
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from tensorboard.backend.event_processing.event_accumulator import (
    SCALARS,
    EventAccumulator,
)

from groundrl.errors import UserError
from groundrl.figures import read_infos
from groundrl.files import write_text
from groundrl.report.answers import StageAnswer, read_answers
from groundrl.report.benchmark_table import Infos, results
from groundrl.report.gallery import gallery
from groundrl.report.page import REPORT, chips, page, section
from groundrl.report.svg import Dot, dot_whisker, line_chart
from groundrl.report.tables import (
    BOUNDS,
    Metrics,
    Table,
    before_after,
    duration,
    is_headline,
    metric_names,
    to_html,
)

NOT_CURVES = ("epoch", "hp_metric", "hparam/")
COLLAPSED = frozenset({"time"})
PLACES = frozenset({"output_dir", "cache_dir", "judgements", "resume"})
"""Of files; nothing that a reader of the page compares runs by."""
LONGEST_CHIP = 60

Curves = dict[str, dict[str, list[tuple[float, float]]]]
"""Folder of the events -> tag -> (step, value)."""


def write_report(run_dir: Path) -> Path:
    """Write ``report.html`` into ``run_dir`` and return its path; it needs no other file.

    Reads ``metrics.json``, ``figures.json``, ``resolved.yaml``, TensorBoard events and
    ``heldout_<stage>.jsonl``; a part whose file is absent is left out. Raises UserError when all
    are.
    """
    stages, seconds = read_metrics(run_dir)
    curves = read_curves(run_dir)
    answers = read_answers(run_dir, list(stages))
    config = _text(run_dir / "resolved.yaml")
    if not (stages or curves or answers or config):
        raise UserError(
            f"nothing to report in {run_dir}: expected metrics.json, resolved.yaml, TensorBoard "
            "events or heldout_<stage>.jsonl. Give the path that a script printed last."
        )
    title, facts = _title(run_dir, config)
    facts += [f"{name.replace('_', ' ')} {duration(value)}" for name, value in seconds.items()]
    body = f"<h1>{html.escape(title)}</h1>{chips(facts)}" + _sections(
        run_dir, stages, curves, answers, config
    )
    file = run_dir / REPORT
    write_text(file, page(title, body))
    return file


def _sections(
    run_dir: Path,
    stages: Mapping[str, Metrics],
    curves: Curves,
    answers: list[list[StageAnswer]],
    config: str,
) -> str:
    source = f'<div class="wide"><pre>{html.escape(config)}</pre></div>' if config else ""
    return "".join(
        [
            section(
                "Before and after" if len(stages) > 1 else "Results",
                _results(stages, read_infos(run_dir)),
            ),
            section("Answers on held-out questions", gallery(run_dir, answers)),
            section("Curves", _curves(curves)),
            section("Config", source and f"<details><summary>show</summary>{source}</details>"),
        ]
    )


def _text(file: Path) -> str:
    return file.read_text() if file.is_file() else ""


def read_metrics(run_dir: Path) -> tuple[dict[str, dict[str, float]], dict[str, float]]:
    """Held-out metrics by stage, and seconds by name, of ``metrics.json``; empty without it.

    The flat metrics of an evaluation count as one stage, "result"; its seconds are ``time/<name>``.
    """
    text = _text(run_dir / "metrics.json")
    content: dict[str, Any] = json.loads(text) if text else {}
    seconds = content.pop("time", {})
    flat = {name: value for name, value in content.items() if not isinstance(value, dict)}
    nested = {name: value for name, value in content.items() if isinstance(value, dict)}
    seconds |= {n.removeprefix("time/"): flat.pop(n) for n in list(flat) if n.startswith("time/")}
    stages = ({"result": flat} if flat else {}) | nested
    return {stage: _floats(values) for stage, values in stages.items()}, _floats(seconds)


def _floats(values: Mapping[str, int | float]) -> dict[str, float]:
    return {name: float(value) for name, value in values.items()}


def read_curves(run_dir: Path) -> Curves:
    """All scalars of all event files; of points at the same step the last written one counts."""
    files = run_dir.rglob("events.out.tfevents.*")
    # Stages in the order in which they ran.
    folders = sorted({file.parent for file in files}, key=_first_event)
    curves: Curves = {}
    for folder in folders:
        events = EventAccumulator(str(folder), size_guidance={SCALARS: 0})
        events.Reload()
        tags = [tag for tag in events.Tags()[SCALARS] if not tag.startswith(NOT_CURVES)]
        # A resumed run repeats the steps after its checkpoint.
        found = {tag: {e.step: e.value for e in events.Scalars(tag)} for tag in tags}
        # A figure that was measured once stands in a table.
        found = {tag: points for tag, points in found.items() if len(points) > 1}
        if found:
            name = folder.relative_to(run_dir).as_posix().removeprefix("tensorboard/")
            curves[name] = {
                tag: [(float(step), value) for step, value in sorted(points.items())]
                for tag, points in sorted(found.items())
            }
    return curves


def _first_event(folder: Path) -> str:
    """Event files carry the second of their making in their names."""
    return min(file.name for file in folder.glob("events.out.tfevents.*"))


def _title(run_dir: Path, config: str) -> tuple[str, list[str]]:
    """Reward and model, or the folder's name; and the config's short top-level values."""
    tree = yaml.safe_load(config) if config else None
    values = tree if isinstance(tree, dict) else {}
    terms = values.get("reward", {}).get("terms", {})
    model = values.get("model", {}).get("path")
    title = [f"reward {' + '.join(terms)}"] if terms else []
    title += [f"{model}"] if model else []
    if "benchmark" in values:
        answers = values.get("predictions") or values.get("run")
        title = [f"evaluation of {Path(answers).name if answers else model}"]
    plain = (bool, int, float, str)
    facts = []
    for key, value in values.items():
        listed = isinstance(value, list) and all(isinstance(v, plain) for v in value)
        fact = f"{key} {', '.join(map(str, value))}" if listed else f"{key} {value}"
        shown = key not in PLACES and len(fact) <= LONGEST_CHIP
        if shown and (listed or isinstance(value, plain)):
            facts.append(fact)
    return ", ".join(title) or run_dir.resolve().name, facts


def _results(stages: Mapping[str, Metrics], infos: Infos) -> str:
    """The table with its intervals, then one plot per metric when there are stages to compare."""
    if not stages:
        return ""
    if len(stages) == 1:
        return results(next(iter(stages.values())), infos)
    table = _table(before_after(stages, list(stages)))
    note = '<p class="soft">± is half of the 95 % interval; n is the number of questions.</p>'
    rest = before_after(stages, list(stages), lambda name: not is_headline(name))
    more = f"<details><summary>all other metrics</summary>{_table(rest)}</details>"
    more = more if rest.rows else ""
    plots = "".join(
        dot_whisker(
            name,
            [
                Dot(
                    name=stage,
                    value=result[name],
                    low=result.get(f"{name}_low", result[name]),
                    high=result.get(f"{name}_high", result[name]),
                )
                for stage, result in stages.items()
                if name in result
            ],
        )
        for name in filter(is_headline, metric_names(list(stages.values())))
        if any(f"{name}{BOUNDS[0]}" in result for result in stages.values())
    )
    return f'{table}{note}<div class="charts">{plots}</div>{more}'


def _table(table: Table) -> str:
    return f'<div class="wide">{to_html(table)}</div>'


def _curves(curves: Curves) -> str:
    """Charts under the first part of their names, per folder where there are several."""
    parts = []
    for folder, series in curves.items():
        groups: dict[str, list[str]] = {}
        for tag, points in series.items():
            group = tag.split("/")[0] if "/" in tag else "training"
            groups.setdefault(group, []).append(line_chart(tag, points))
        for group in sorted(groups, key=_place):
            name = f"{folder} · {group}" if len(curves) > 1 else group
            state = "" if group in COLLAPSED else " open"
            charts = f'<div class="charts">{"".join(groups[group])}</div>'
            parts.append(
                f"<details{state}><summary>{html.escape(name)}</summary>{charts}</details>"
            )
    return "".join(parts)


def _place(group: str) -> tuple[bool, bool, str]:
    """Rewards first, what is collapsed last."""
    return group in COLLAPSED, group != "reward", group
