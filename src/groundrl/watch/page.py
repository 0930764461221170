"""The page of a run that goes on."""

import base64
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Final

from tensorboard.backend.event_processing.event_accumulator import IMAGES, EventAccumulator

from groundrl.report.page import load_templates
from groundrl.report.run_report import event_folders, read_run

WATCHED: Final = (
    "resolved.yaml",
    "metrics.json",
    "heldout_*.jsonl",
    "tensorboard/**/events.out.tfevents.*",
)
TEMPLATES = load_templates("groundrl.watch")


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutSheet:
    """Rollouts that a stage has drawn."""

    stage: str
    step: int
    url: str
    """A ``data:`` URL of the image."""


def version_of(run_dir: Path) -> str:
    """Changes whenever the run has written something that the page shows."""
    stats = {file: file.stat() for glob in WATCHED for file in run_dir.glob(glob)}
    state = sorted((str(file), stat.st_size, stat.st_mtime_ns) for file, stat in stats.items())
    return blake2b(repr(state).encode(), digest_size=8).hexdigest()


def newest_rollouts(run_dir: Path) -> RolloutSheet | None:
    """The newest image of the last stage that draws; None before it."""
    for folder in reversed(event_folders(run_dir)):
        events = EventAccumulator(str(folder), size_guidance={IMAGES: 1})
        events.Reload()
        if "rollouts" in events.Tags()[IMAGES]:
            image = events.Images("rollouts")[-1]
            png = base64.b64encode(image.encoded_image_string).decode()
            return RolloutSheet(
                stage=folder.name, step=image.step, url=f"data:image/png;base64,{png}"
            )
    return None


def render_page(run_dir: Path) -> str:
    """What the run has written so far, as HTML."""
    version = version_of(run_dir)
    folders = event_folders(run_dir)
    state = f"now: {folders[-1].name}" if folders else "waiting for the first step"
    return TEMPLATES.get_template("watch.html.jinja").render(
        version=version,
        state=f"{run_dir}, {state}. The page follows the run.",
        newest=newest_rollouts(run_dir),
        **read_run(run_dir),
    )
