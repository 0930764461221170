"""Memory and own time of long syntheses: ``python benchmarks/synthesis_memory.py``.

Teacher and verifier are stubs in this process that answer after a fixed time, and images are made
up one by one and never opened, so that 100 000 take minutes; cropping, the cache, merging,
questions and files are the real run. ``ideal``: images per second if nothing else took time,
concurrency / (3 x latency), since an image waits for captions, for verdicts on crops, and for one
on the whole. ``overhead``: CPU time per image. ``memory``: peak of the process, at the end of
each run.
``synthesis_throughput.py`` asks a server, and opens images.
"""

import argparse
import random
import resource
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import history

from groundrl.boxes import Box, Frame
from groundrl.detectors.records import InputImage, Region
from groundrl.records import ImageFile
from groundrl.report.tables import Table, to_text
from groundrl.running.task_runner import LocalRunner
from groundrl.synthesis.annotate import Annotator
from groundrl.synthesis.annotations import Caption, Decision, Verdict
from groundrl.synthesis.roles import ImageView
from groundrl.synthesis.run import Synthesis
from groundrl.synthesis.samples import QuestionPlan

Figures = dict[str, float]

NOUNS = ("ball", "book", "bottle", "bowl", "box", "candle", "cup", "lamp")
OBJECTS = 4
WAITS = 3
"""Answers that an image waits for, one after the other."""


@dataclass(frozen=True)
class Stubs:
    """Images, detector, teacher and verifier of one run."""

    images: int
    latency: float
    name: str = "stub"
    vocabulary: tuple[str, ...] = NOUNS
    skipped: dict[str, str] = field(default_factory=dict)

    def __len__(self) -> int:
        return self.images

    def __iter__(self) -> Iterator[InputImage]:
        for index in range(self.images):
            file = ImageFile(path=Path(f"/images/{index}.jpg"), width=640, height=480)
            yield InputImage(id=f"{index}.jpg", source=file, digest=f"{index}")

    def __call__(self, images: Sequence[InputImage]) -> list[tuple[Region, ...]]:
        return [self._regions(random.Random(image.digest)) for image in images]

    def _regions(self, rng: random.Random) -> tuple[Region, ...]:
        found = []
        for noun in rng.sample(NOUNS, OBJECTS):
            x, y = rng.uniform(0, 400), rng.uniform(0, 300)
            x2, y2 = x + rng.uniform(30, 240), y + rng.uniform(30, 180)
            box = Box(x1=x, y1=y, x2=x2, y2=y2, frame=Frame.PIXEL)
            found.append(Region(label=noun, box=box, score=rng.random()))
        return tuple(found)

    def describe(self, views: Sequence[ImageView]) -> list[Caption | None]:
        """Of a crop its label, of the whole a list."""
        time.sleep(self.latency)
        return [
            Caption(
                text=" ".join(f"There is a red {region.label}." for region in view.regions)
                if view.crop is None
                else f"This is a red {view.crop.region.label}."
            )
            for view in views
        ]

    def judge(self, cases: Sequence[tuple[ImageView, str]]) -> list[Verdict | None]:
        """All fine."""
        time.sleep(self.latency)
        return [Verdict(decision=Decision.KEEP, reason="fine") for _ in cases]


class Role:
    """A method of the stubs as a teacher or verifier."""

    name = "stub"

    def __init__(self, call: object) -> None:
        self.call = call

    def __call__(self, inputs: Sequence[object]) -> object:
        return self.call(inputs)  # pyright: ignore[reportCallIssue]


def measured(images: int, concurrency: int, latency: float, folder: Path) -> Figures:
    """One run."""
    stubs = Stubs(images, latency)
    annotator = Annotator(
        detector=stubs,
        teacher=Role(stubs.describe),  # pyright: ignore[reportArgumentType]
        verifier=Role(stubs.judge),  # pyright: ignore[reportArgumentType]
    )
    run = Synthesis(
        images=stubs,
        annotator=lambda: annotator,
        runner=LocalRunner(),
        concurrency=concurrency,
        questions=QuestionPlan(),
        licence="none",
        cache=folder / "cache.sqlite",
        shard_size=10_000,
        run_dir=folder / "run",
    )
    start, cpu = time.perf_counter(), time.process_time()
    run.run()
    seconds = time.perf_counter() - start
    ideal = concurrency / (WAITS * latency) if latency else float("inf")
    return {
        "images": images,
        "per_second": images / seconds,
        "ideal": ideal,
        "share": images / seconds / ideal,
        "overhead_ms": (time.process_time() - cpu) / images * 1000,
        "memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def program(measured: Callable[[int, int, float, Path], Figures], images: int) -> None:
    """Ask what to measure, measure, print, write."""
    parser = argparse.ArgumentParser(description="A synthesis beside the server that it asks.")
    parser.add_argument("--images", type=int, nargs="+", default=[images])
    parser.add_argument("--concurrency", type=int, default=64)
    parser.add_argument("--latency", type=float, default=1.0, help="seconds of every answer")
    history.add_options(parser)
    arguments = parser.parse_args()
    found = []
    for count in (1, *arguments.images):  # the first imports what is imported on use
        with tempfile.TemporaryDirectory() as folder:
            latency = 0.01 if count == 1 else arguments.latency
            found.append(measured(count, arguments.concurrency, latency, Path(folder)))
    found = found[1:]
    columns = tuple(key.replace("_", " ") for key in found[0])
    rows = tuple(
        tuple(f"{value:,.3f}".rstrip("0").rstrip(".") for value in one.values()) for one in found
    )
    print(to_text(Table(columns=columns, rows=rows)))
    history.keep(arguments, dict(zip(map(str, arguments.images), found, strict=True)))


if __name__ == "__main__":
    program(measured, images=1000)
