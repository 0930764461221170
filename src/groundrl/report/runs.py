"""Runs on disk: those of a sweep with their settings and seeds, and what was measured of each."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import Strict

from groundrl.errors import UserError
from groundrl.files import read_json
from groundrl.json_rows import validate

RUN_FILES = frozenset({"metrics.json", "error.txt", "resolved.yaml"})
"""A folder that holds one of these is a run."""
SEED = re.compile(r"(^|,)seed=(?P<seed>[^,]*)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One job of a sweep."""

    name: str
    """Its folder below the sweep's, without the seed."""
    seed: str
    """Empty where its folder names none."""
    folder: Path
    stages: Mapping[str, Mapping[str, float]]
    """Held-out metrics of each stage, in order; empty when it did not finish."""
    error: str
    """First line of ``error.txt``."""

    @property
    def metrics(self) -> Mapping[str, float] | None:
        """Those of the last stage; None when it did not finish."""
        return [*self.stages.values()][-1] if self.stages else None

    @property
    def change(self) -> dict[str, float]:
        """The same minus those of the stage before."""
        *_, before, after = {}, {}, *self.stages.values()
        return {name: value - before[name] for name, value in after.items() if name in before}


Metric = Annotated[float, Strict()]
"""NaN included."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _MetricsFile:
    """For the paths in messages."""

    metrics: dict[str, Metric | dict[str, Metric]]


def find_runs(root: Path) -> list[Run]:
    """Every run below ``root``, ordered by name; UserError if there is none.

    Runs lie at any depth: ``iou+acc/seed=0``, ``model=a/reward=iou,seed=1``. A folder named after
    a seed that holds nothing yet is a run that did not finish.
    """
    runs = [_run(root, folder) for folder in run_folders(root)]
    if not runs:
        raise UserError(
            f"no runs below {root}: expected folders such as {root}/iou+acc/seed=0 with a "
            "metrics.json inside. Give the folder that a multirun wrote (hydra.sweep.dir)."
        )
    return sorted(runs, key=lambda run: (run.name, str(run.folder)))


def run_folders(root: Path) -> list[Path]:
    """The folders of the runs below ``root``."""
    found = []
    for place, folders, files in os.walk(root):
        folder = Path(place)
        seeded = SEED.search(folder.name) is not None and not _holds_runs(folder)
        if folder == root or not (RUN_FILES.intersection(files) or seeded):
            continue
        folders.clear()  # what lies below a run is the run's own
        found.append(folder)
    return found


def _holds_runs(folder: Path) -> bool:
    """Whether a run lies deeper, as in ``seed=0/reward=iou``."""
    return any(file.name in RUN_FILES for file in folder.glob("*/**/*"))


def _run(root: Path, folder: Path) -> Run:
    try:
        stages, _ = read_metrics(folder)
        error = read_failure(folder)
    except UserError as damage:  # of one run: the table shows the others
        stages, error = {}, str(damage).splitlines()[0]
    return Run(
        name=setting_name(root, folder),
        seed=split_seed(folder.relative_to(root).as_posix())[1],
        folder=folder,
        stages=stages,
        error=error,
    )


def setting_name(root: Path, folder: Path) -> str:
    """The path of a run below ``root`` without its seed; the name of ``root`` where nothing is
    left."""
    return split_seed(folder.relative_to(root).as_posix())[0] or root.resolve().name


def read_failure(folder: Path) -> str:
    """First line of ``error.txt``; empty without it."""
    note = folder / "error.txt"
    lines = note.read_text(errors="replace").strip().splitlines() if note.is_file() else []
    return lines[0] if lines else ""


def split_seed(folder: str) -> tuple[str, str]:
    """The setting and the seed of a run's folder: ``acc/seed=0`` gives ``acc`` and ``0``; the seed
    is empty where the folder names none."""
    parts = folder.split("/")
    seeds = [found["seed"] for part in parts if (found := SEED.search(part)) is not None]
    kept = (SEED.sub("", part).strip(",") for part in parts)
    return "/".join(part for part in kept if part), seeds[0] if seeds else ""


def read_metrics(run_dir: Path) -> tuple[dict[str, dict[str, float]], dict[str, float]]:
    """Held-out metrics by stage, and seconds by name, of ``metrics.json``; empty without it. Raises
    UserError where it is damaged.

    The flat metrics of an evaluation count as one stage, "result"; its seconds are ``time/<name>``.
    """
    path = run_dir / "metrics.json"
    try:
        content = validate(
            _MetricsFile, {"metrics": read_json(path) if path.is_file() else {}}
        ).metrics
    except ValueError as error:
        raise UserError(f"{path}: {error}. Restore the file, or run it again") from error
    flat: dict[str, float] = {n: v for n, v in content.items() if not isinstance(v, dict)}
    stages: dict[str, dict[str, float]] = {n: v for n, v in content.items() if isinstance(v, dict)}
    seconds = stages.pop("time", {})
    seconds |= {n.removeprefix("time/"): flat.pop(n) for n in list(flat) if n.startswith("time/")}
    return {"result": flat, **stages} if flat else stages, seconds
