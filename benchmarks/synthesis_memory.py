"""Memory and own time of long syntheses: ``python benchmarks/synthesis_memory.py``.

Teacher and verifier are stubs in this process that answer after a fixed time, and pictures are made
up one by one and never opened, so that 100 000 take minutes; cropping, the cache, merging,
questions and files are the real run. ``ideal``: pictures per second if nothing else took time,
concurrency / (3 x latency), since a picture waits for captions, for verdicts on crops, and for one
on the whole. ``overhead``: CPU time per picture. ``memory``: peak of the process, at the end of
each run.
``synthesis_throughput.py`` asks a server, and opens pictures.
"""

import argparse
import json
import random
import resource
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from groundrl.boxes import Box, Frame
from groundrl.engine import LocalEngine
from groundrl.records import ImageFile
from groundrl.report.tables import Table, to_text
from groundrl.stages.synthesize import Synthesis
from groundrl.synthesis.annotate import Annotator
from groundrl.synthesis.base import View
from groundrl.synthesis.records import Caption, Decision, Picture, Region, Verdict
from groundrl.synthesis.samples import Questions

Figures = dict[str, float]

NOUNS = ("ball", "book", "bottle", "bowl", "box", "candle", "cup", "lamp")
OBJECTS = 4
WAITS = 3
"""Answers that a picture waits for, one after the other."""


@dataclass(frozen=True)
class Stubs:
    """Pictures, detector, teacher and verifier of one run."""

    pictures: int
    latency: float
    name: str = "stub"
    vocabulary: tuple[str, ...] = NOUNS
    left_out: dict[str, str] = field(default_factory=dict)

    def __len__(self) -> int:
        return self.pictures

    def __iter__(self) -> Iterator[Picture]:
        for index in range(self.pictures):
            image = ImageFile(path=Path(f"/pictures/{index}.jpg"), width=640, height=480)
            yield Picture(id=f"{index}.jpg", image=image, digest=f"{index}")

    def __call__(self, pictures: Sequence[Picture]) -> list[tuple[Region, ...]]:
        return [self._regions(random.Random(picture.digest)) for picture in pictures]

    def _regions(self, rng: random.Random) -> tuple[Region, ...]:
        found = []
        for noun in rng.sample(NOUNS, OBJECTS):
            x, y = rng.uniform(0, 400), rng.uniform(0, 300)
            x2, y2 = x + rng.uniform(30, 240), y + rng.uniform(30, 180)
            box = Box(x1=x, y1=y, x2=x2, y2=y2, frame=Frame.PIXEL)
            found.append(Region(label=noun, box=box, score=rng.random()))
        return tuple(found)

    def describe(self, views: Sequence[View]) -> list[Caption | None]:
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

    def judge(self, cases: Sequence[tuple[View, str]]) -> list[Verdict | None]:
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


def measured(pictures: int, concurrency: int, latency: float, folder: Path) -> Figures:
    """One run."""
    stubs = Stubs(pictures, latency)
    annotator = Annotator(
        detector=stubs,
        teacher=Role(stubs.describe),  # pyright: ignore[reportArgumentType]
        verifier=Role(stubs.judge),  # pyright: ignore[reportArgumentType]
    )
    run = Synthesis(
        pictures=stubs,
        annotator=lambda: annotator,
        engine=LocalEngine(),
        concurrency=concurrency,
        questions=Questions(),
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
        "pictures": pictures,
        "per_second": pictures / seconds,
        "ideal": ideal,
        "share": pictures / seconds / ideal,
        "overhead_ms": (time.process_time() - cpu) / pictures * 1000,
        "memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def program(measured: Callable[[int, int, float, Path], Figures], pictures: int) -> None:
    """Ask what to measure, measure, print, write."""
    parser = argparse.ArgumentParser(description="A synthesis beside the server that it asks.")
    parser.add_argument("--pictures", type=int, nargs="+", default=[pictures])
    parser.add_argument("--concurrency", type=int, default=64)
    parser.add_argument("--latency", type=float, default=1.0, help="seconds of every answer")
    parser.add_argument("--out", type=Path, help="a JSON file for the same figures")
    arguments = parser.parse_args()
    found = []
    for count in (1, *arguments.pictures):  # the first imports what is imported on use
        with tempfile.TemporaryDirectory() as folder:
            latency = 0.01 if count == 1 else arguments.latency
            found.append(measured(count, arguments.concurrency, latency, Path(folder)))
    found = found[1:]
    if arguments.out is not None:
        arguments.out.write_text(json.dumps(found, indent=1))
    columns = tuple(key.replace("_", " ") for key in found[0])
    rows = tuple(
        tuple(f"{value:,.3f}".rstrip("0").rstrip(".") for value in one.values()) for one in found
    )
    print(to_text(Table(columns=columns, rows=rows)))


if __name__ == "__main__":
    program(measured, pictures=1000)
