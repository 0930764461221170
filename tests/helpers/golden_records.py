"""What fixed seeds give: questions of every kind, benchmark questions, synthesised samples."""

import json
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from scripts import run_python

from groundrl.data.box_questions import KINDS as BOX_KINDS
from groundrl.data.box_questions import ask_all
from groundrl.data.detection.base import AnnotatedImage, DetectionSet
from groundrl.errors import UserError
from groundrl.evaluation.benchmarks.base import Benchmark
from groundrl.evaluation.benchmarks.world import (
    WorldMME,
    WorldREC,
    WorldRel3D,
    WorldVQA,
    WorldVSR,
)
from groundrl.evaluation.benchmarks.world_caption import WorldCaption
from groundrl.evaluation.benchmarks.world_pope import WorldPOPE
from groundrl.grammar import get_grammar
from groundrl.records import Grounding, Sample, Segments
from groundrl.world.captions.captions import caption
from groundrl.world.graph import Look, SceneSpec, Subject
from groundrl.world.questions import KINDS, sample_question
from groundrl.world.render import build_scene
from groundrl.world.source import SceneImage

ROOT = Path(__file__).parent.parent.parent
SCENES = 5
"""Per kind of question, subject and look."""


def text_of(segments: Segments) -> str:
    """As the default grammar writes it."""
    return get_grammar("obj_bbox").render_segments(segments)


def line(sample: Sample) -> str:
    """A sample on one line: what is asked, what is right, what the rationale points at."""
    parts = [sample.id, sample.question, "|".join(sample.options), "|".join(sample.answers)]
    parts.append(text_of(sample.groundings))
    parts.append("" if sample.rationale is None else text_of(sample.rationale))
    return " # ".join(parts)


def world_lines() -> list[str]:
    """Questions and captions about drawn scenes."""
    lines = []
    for subject in Subject:
        for look in Look:
            for index in range(SCENES):
                spec = SceneSpec(seed=11, index=index, subject=subject, look=look)
                for kind in KINDS:
                    try:
                        lines.append(line(sample_question(spec, [kind], turn=index % 2)))
                    except UserError:
                        lines.append(f"{subject}-{look}-{index}-{kind}: none")
                scene = build_scene(spec)
                lines.append(text_of(caption(scene, np.random.default_rng(index))))
    return lines


def benchmark_lines() -> list[str]:
    """What the world's benchmarks ask."""
    benchmarks: list[Benchmark] = [
        WorldVQA(size=8),
        WorldREC(size=8),
        WorldMME(size=8),
        WorldVSR(size=8),
        WorldRel3D(size=8, augmented=False),
        WorldCaption(size=4),
        *(WorldPOPE(size=8, variant=variant) for variant in ("random", "popular", "adversarial")),
    ]
    return [line(sample) for benchmark in benchmarks for sample in benchmark.questions().samples]


def detection_lines() -> list[str]:
    """Questions about boxes of which only the class is known."""
    images = []
    for index in range(30):
        spec = SceneSpec(seed=12, index=index, min_objects=2, max_objects=7, width=320, height=240)
        scene = build_scene(spec)
        images.append(
            AnnotatedImage(
                id=str(index),
                image=SceneImage(spec=spec),
                groundings=tuple(Grounding(label=o.category, box=o.box) for o in scene.objects),
                uncounted=frozenset({"ball"}) if index % 7 == 0 else frozenset(),
            )
        )
    names = ("ball", "book", "bottle", "bowl", "box", "candle", "cup", "lamp", "plant", "scissors")
    drawn = DetectionSet(name="drawn", split="train", names=names, images=tuple(images))
    return [line(sample) for sample in ask_all(drawn, seed=3, kinds=BOX_KINDS)]


def run(script: str, *options: str, folder: Path) -> None:
    """One of the three scripts, its output in ``folder``."""
    done = run_python(script, *options, f"output_dir={folder}", f"cache_dir={folder}/c")
    assert done.returncode == 0, done.stderr


def synthesis_lines() -> list[str]:
    """What synthesize.py writes about drawn scenes."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        options = ["detector=oracle", "scenes.size=24", "seed=4"]
        options += ["detector.miss_rate=0.1", "detector.false_alarm_rate=0.1"]
        run("synthesize.py", *options, folder=folder)
        rows = []
        for file in ("train.jsonl", "heldout.jsonl"):
            for text in (folder / file).read_text().splitlines():
                row = json.loads(text)
                del row["image"], row["provenance"]
                rows.append(json.dumps(row))
        return rows


LINES: dict[str, Callable[[], list[str]]] = {
    "world": world_lines,
    "benchmarks": benchmark_lines,
    "detection": detection_lines,
    "synthesis": synthesis_lines,
}
