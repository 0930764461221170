"""Start and memory of training on long tables: ``python benchmarks/lazy_rows.py --rows 1000000``.

R1-style rows with a box each, about 100 images that all rows share, as JSONL and as Parquet; each
file is read in a process of its own. ``start``: seconds from opening the file to the first batch,
the check of rows and, for Parquet, the conversion by ``datasets`` included; ``cpu`` the same in CPU
time. ``memory``: what the process took beyond its imports, at its peak in the start and after the
steps. ``row``: CPU time of one row in a step, its image read whole.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import history
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from groundrl.report.tables import Table, to_text

IMAGES = 100
BATCH = 8
PART = 100_000
"""Rows that are written at once."""
KINDS = ("jsonl", "parquet")


def write_images(folder: Path) -> None:
    """Noise of 320 x 240 pixels."""
    rng = np.random.default_rng(0)
    for number in range(IMAGES):
        pixels = rng.integers(0, 255, (240, 320, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.jpg")


def make_row(index: int) -> dict[str, str]:
    """A question that has a box for an answer."""
    x, y = index % 200, index % 150
    return {
        "id": f"row-{index}",
        "image": f"{index % IMAGES}.jpg",
        "problem": f"<image>Where in the image is the object with the number {index}?",
        "solution": f"<think>It is there.</think><answer>[{x}, {y}, {x + 90}, {y + 80}]</answer>",
    }


def write_rows(path: Path, rows: int) -> None:
    """The rows, part by part."""
    parts = [range(start, min(rows, start + PART)) for start in range(0, rows, PART)]
    if path.suffix == ".jsonl":
        with path.open("w", encoding="utf-8") as file:
            for part in parts:
                file.writelines(json.dumps(make_row(index)) + "\n" for index in part)
        return
    schema = pa.schema({name: pa.string() for name in make_row(0)})
    with pq.ParquetWriter(path, schema) as writer:
        for part in parts:
            writer.write_table(pa.Table.from_pylist([make_row(index) for index in part], schema))


def peak() -> float:
    """Of this process, MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measure(path: Path, steps: int) -> dict[str, float]:
    """Figures of one file."""
    from hydra.utils import instantiate
    from omegaconf import OmegaConf

    from groundrl.data.tables import build

    assert build
    imported = peak()
    conf = OmegaConf.load(Path(__file__).parents[1] / "conf/data/hub.yaml")
    config = OmegaConf.merge(conf, {"path": str(path), "frame": "pixel", "num_workers": 0})
    start, cpu = time.perf_counter(), time.process_time()
    module = instantiate(config, _convert_="all", prompts_per_step=BATCH)
    batches = iter(module.train_dataloader())
    next(batches)
    figures = {"start": time.perf_counter() - start, "cpu": time.process_time() - cpu}
    figures["memory_start"] = peak() - imported
    cpu = time.process_time()
    for _ in range(steps):
        next(batches)
    figures["row_ms"] = (time.process_time() - cpu) / steps / BATCH * 1000
    return figures | {"memory_steps": peak() - imported}


def run(rows: int, steps: int, folder: Path) -> dict[str, dict[str, float]]:
    """Figures by kind of file, each from a process of its own."""
    write_images(folder)
    figures = {}
    for kind in KINDS:
        path = folder / f"rows.{kind}"
        write_rows(path, rows)
        command = [sys.executable, __file__, "--child", str(path), "--steps", str(steps)]
        cache = os.environ | {"HF_DATASETS_CACHE": str(folder / "cache")}
        done = subprocess.run(command, env=cache, check=True, stdout=subprocess.PIPE, text=True)
        figures[kind] = json.loads(done.stdout.splitlines()[-1])
        path.unlink()
    return figures


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=2000)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    history.add_options(parser)
    options = parser.parse_args()
    if options.child is not None:
        print(json.dumps(measure(options.child, options.steps)))
        return
    with tempfile.TemporaryDirectory() as name:
        figures = run(options.rows, options.steps, Path(name))
    table = Table(
        columns=("file", "start, s", "cpu, s", "memory at start, MB", "after steps, MB", "row, ms"),
        rows=tuple(
            (
                kind,
                f"{one['start']:.1f}",
                f"{one['cpu']:.1f}",
                f"{one['memory_start']:.0f}",
                f"{one['memory_steps']:.0f}",
                f"{one['row_ms']:.2f}",
            )
            for kind, one in figures.items()
        ),
    )
    print(to_text(table))
    history.keep(options, figures)


if __name__ == "__main__":
    main()
