"""A small run of synthesis, and its files."""

import json
from dataclasses import replace
from pathlib import Path

from synthesis_views import SCENE_VERIFIER

from groundrl.detectors.oracle import OracleDetector
from groundrl.running.task_runner import LocalRunner
from groundrl.synthesis.annotate import Annotator
from groundrl.synthesis.images import SceneImages
from groundrl.synthesis.run import Synthesis
from groundrl.synthesis.samples import QuestionPlan
from groundrl.synthesis.teachers.world import WorldTeacher


def synthesis(folder: Path, **changed: object) -> Synthesis:
    """Two dozen scenes; ``changed`` are fields of the run or of its annotator."""
    roles = {k: changed.pop(k) for k in list(changed) if k in ("detector", "teacher", "verifier")}
    annotator = replace(
        Annotator(
            detector=OracleDetector(), teacher=WorldTeacher(error_rate=0.3), verifier=SCENE_VERIFIER
        ),
        **roles,
    )
    run = Synthesis(
        images=SceneImages(size=24),
        annotator=lambda: annotator,
        runner=LocalRunner(),
        concurrency=4,
        questions=QuestionPlan(heldout_share=0.2),
        licence="CC0",
        cache=folder.parent / "cache" / "s.sqlite",
        shard_size=50,
        run_dir=folder,
    )
    return replace(run, **changed)


def content(folder: Path) -> dict[str, bytes]:
    """The content of all files, except those with times and paths."""
    told = ("metrics.json", "seconds.json", "resolved.yaml", "report.html")
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name not in told
    }


def figures(folder: Path) -> dict[str, float]:
    return json.loads((folder / "metrics.json").read_text())
