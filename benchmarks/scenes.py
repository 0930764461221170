"""Scenes drawn per second on one core, for both subjects and looks.

python benchmarks/scenes.py [--count 300] [--size 160] [--out FILE.json]
"""

import argparse
import os
import time

# one core means one thread; numpy reads these when it is imported
os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1")

import history

from groundrl.world.graph import Look, SceneSpec, Subject
from groundrl.world.render import build_scene, render


def measure(subject: Subject, look: Look, count: int, size: int) -> dict[str, float]:
    """Scenes per second of processor time: whole renders, and scene graphs alone."""
    specs = [
        SceneSpec(seed=1, index=i, subject=subject, look=look, width=size, height=size)
        for i in range(count)
    ]
    # surfaces and camera rays are made once per process
    render(specs[0])
    rates = {}
    for name, draw in (("render", render), ("graph", build_scene)):
        start = time.process_time()
        for spec in specs:
            draw(spec)
        rates[name] = count / (time.process_time() - start)
    return rates


def main() -> None:
    """Print the table, and write it to ``--out``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=300, help="scenes per row")
    parser.add_argument("--size", type=int, default=160, help="width and height in pixels")
    history.add_options(parser)
    options = parser.parse_args()
    figures = {}
    print(f"{'subject':10} {'look':6} {'images/s':>10} {'graphs/s':>10}")
    for subject in Subject:
        for look in Look:
            rates = measure(subject, look, options.count, options.size)
            print(f"{subject:10} {look:6} {rates['render']:10.0f} {rates['graph']:10.0f}")
            for name, rate in rates.items():
                figures[f"{subject}/{look}/{name}_per_second"] = round(rate, 1)
    history.keep(options, figures)


if __name__ == "__main__":
    main()
