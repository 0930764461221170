"""``report.html``: one page about a run, made of the run's own files."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from markupsafe import Markup
from tensorboard.backend.event_processing.event_accumulator import (
    SCALARS,
    EventAccumulator,
)

from groundrl.errors import UserError
from groundrl.figures import read_infos
from groundrl.files import write_text
from groundrl.report.answers.cards import answer_gallery
from groundrl.report.answers.stage_answers import read_answers
from groundrl.report.benchmark_table import results
from groundrl.report.charts.svg import Dot, dot_whisker, line_chart
from groundrl.report.page import REPORT, TEMPLATES
from groundrl.report.runs import read_metrics
from groundrl.report.tables import (
    BOUNDS,
    Metrics,
    Table,
    before_after,
    duration,
    is_headline,
    metric_names,
)

NOT_CURVES = ("epoch", "hp_metric", "hparam/", "heldout/")
COLLAPSED = frozenset({"time"})
"""Groups of curves that are shown on request."""
NOT_COMPARED = frozenset({"output_dir", "cache_dir", "judgements", "requeue", "resume"})
"""Options by which a reader of the page does not compare runs: files, and what happens to a job."""
MAX_CHIP = 60
"""Characters of a config value that is shown as a chip."""

Curves = dict[str, dict[str, list[tuple[float, float]]]]
"""Folder of the events -> tag -> (step, value)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StageComparison:
    """Held-out metrics of several stages, side by side."""

    table: Table
    other_metrics: Table
    plots: Sequence[Markup]


@dataclass(frozen=True, slots=True, kw_only=True)
class CurveGroup:
    """Charts whose tags begin with the same word."""

    name: str
    is_open: bool
    charts: Sequence[Markup]


def write_report(run_dir: Path) -> Path:
    """Write ``report.html`` into ``run_dir`` and return its path; it needs no other file.

    Reads ``metrics.json``, ``figures.json``, ``resolved.yaml``, TensorBoard events and
    ``heldout_<stage>.jsonl`` and ``sentence_scores.jsonl``; a part whose file is absent is left
    out. Raises UserError when all are.
    """
    found = read_run(run_dir)
    if not any(found[part] for part in ("results", "comparison", "answers", "curves", "config")):
        raise UserError(
            f"nothing to report in {run_dir}: expected metrics.json, resolved.yaml, TensorBoard "
            "events or heldout_<stage>.jsonl. Give the path that a script printed last."
        )
    file = run_dir / REPORT
    write_text(file, TEMPLATES.get_template("run.html.jinja").render(found))
    return file


def read_run(run_dir: Path) -> dict[str, Any]:
    """The values of the template ``run.html.jinja``."""
    stages, seconds = read_metrics(run_dir)
    config = _read_text(run_dir / "resolved.yaml")
    title, facts = _title_and_facts(run_dir, config)
    facts += [f"{name.replace('_', ' ')} {duration(value)}" for name, value in seconds.items()]
    return {
        "title": title,
        "facts": facts,
        "results": results(next(iter(stages.values())), read_infos(run_dir))
        if len(stages) == 1
        else None,
        "comparison": _compare_stages(stages) if len(stages) > 1 else None,
        "answers": answer_gallery(run_dir, read_answers(run_dir, list(stages))),
        "sentences": _sentences(run_dir),
        "curves": _group_curves(read_curves(run_dir)),
        "config": config,
    }


def _sentences(run_dir: Path) -> Markup:
    """Empty for a run without scored sentences."""
    if not (run_dir / "sentence_scores.jsonl").is_file():
        return Markup()
    # Imported here: it takes seconds, since it imports torch, and other runs do not need it.
    from groundrl.report.answers.sentence_scores import sentence_section

    return sentence_section(run_dir)


def _read_text(file: Path) -> str:
    """Empty where the file is absent."""
    return file.read_text() if file.is_file() else ""


def read_curves(run_dir: Path) -> Curves:
    """All scalars of all event files; of points at the same step the last written one counts."""
    curves: Curves = {}
    for folder in event_folders(run_dir):
        events = EventAccumulator(str(folder), size_guidance={SCALARS: 0})
        events.Reload()
        tags = [tag for tag in events.Tags()[SCALARS] if not tag.startswith(NOT_CURVES)]
        # A resumed run repeats the steps after its checkpoint.
        found = {tag: {e.step: e.value for e in events.Scalars(tag)} for tag in tags}
        # A value that was measured once is no curve; it is in a table.
        found = {tag: points for tag, points in found.items() if len(points) > 1}
        if found:
            name = folder.relative_to(run_dir).as_posix().removeprefix("tensorboard/")
            curves[name] = {
                tag: [(float(step), value) for step, value in sorted(points.items())]
                for tag, points in sorted(found.items())
            }
    return curves


def event_folders(run_dir: Path) -> list[Path]:
    """The folders of TensorBoard events, in the order in which the stages ran."""
    files = run_dir.rglob("events.out.tfevents.*")
    return sorted({file.parent for file in files}, key=_first_event)


def _first_event(folder: Path) -> str:
    """Event files bear the second in which they were created in their names."""
    return min(file.name for file in folder.glob("events.out.tfevents.*"))


def _title_and_facts(run_dir: Path, config: str) -> tuple[str, list[str]]:
    """Reward and model, or the folder's name; and the config's short top-level values."""
    tree = yaml.safe_load(config) if config else None
    values = tree if isinstance(tree, dict) else {}
    terms = values.get("reward", {}).get("terms", {})
    model = values.get("model", {}).get("path")
    title = [f"reward {' + '.join(terms)}"] if terms else []
    title += [f"{model}"] if model else []
    if values.get("pipeline") == ["reward_model"]:
        title = [f"reward model on {model}"]
    if "benchmark" in values:
        answers = values.get("predictions") or values.get("run")
        title = [f"evaluation of {Path(answers).name if answers else model}"]
    plain = (bool, int, float, str)
    facts = []
    for key, value in values.items():
        listed = isinstance(value, list) and all(isinstance(v, plain) for v in value)
        fact = f"{key} {', '.join(map(str, value))}" if listed else f"{key} {value}"
        shown = key not in NOT_COMPARED and len(fact) <= MAX_CHIP
        if shown and (listed or isinstance(value, plain)):
            facts.append(fact)
    return ", ".join(title) or run_dir.resolve().name, facts


def _compare_stages(stages: Mapping[str, Metrics]) -> StageComparison:
    """Tables, and one plot per headline metric that has an interval."""
    names = list(stages)
    plotted = [
        name
        for name in metric_names(list(stages.values()))
        if is_headline(name) and any(f"{name}{BOUNDS[0]}" in found for found in stages.values())
    ]
    return StageComparison(
        table=before_after(stages, names),
        other_metrics=before_after(stages, names, lambda name: not is_headline(name)),
        plots=[_plot_stages(name, stages) for name in plotted],
    )


def _plot_stages(name: str, stages: Mapping[str, Metrics]) -> Markup:
    dots = [
        Dot(
            name=stage,
            value=found[name],
            low=found.get(f"{name}_low", found[name]),
            high=found.get(f"{name}_high", found[name]),
        )
        for stage, found in stages.items()
        if name in found
    ]
    return dot_whisker(name, dots)


def _group_curves(curves: Curves) -> list[CurveGroup]:
    """Charts by the first part of their names; the folder's name is added where there are
    several. Rewards come first, collapsed groups last."""
    result = []
    for folder, series in curves.items():
        groups: dict[str, list[Markup]] = {}
        for tag, points in series.items():
            group = tag.split("/")[0] if "/" in tag else "training"
            groups.setdefault(group, []).append(line_chart(tag, points))
        for group in sorted(groups, key=lambda g: (g in COLLAPSED, g != "reward", g)):
            name = f"{folder} · {group}" if len(curves) > 1 else group
            result.append(
                CurveGroup(name=name, is_open=group not in COLLAPSED, charts=groups[group])
            )
    return result
