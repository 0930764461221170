"""Figures of a benchmark in two runs over the same questions, resampled together."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from groundrl.evaluation.benchmarks.base import Benchmark, Figures, ScoredAttempt, image_keys
from groundrl.intervals import Interval, bootstrap_figures, without_intervals
from groundrl.records import NamedImage
from groundrl.running.progress import ProgressLine

BOUNDS = ("_low", "_high")


def paired_figures(
    name: str,
    benchmark: Benchmark,
    a: Sequence[ScoredAttempt],
    b: Sequence[ScoredAttempt],
    resamples: int = 1000,
) -> dict[str, tuple[float, float, Interval]]:
    """Every figure of the benchmark in both runs, and second minus first with its 95 % interval.

    ``a[i]`` and ``b[i]`` answer the same question. Images are drawn with replacement, the same
    for both runs, and the benchmark's own ``figures`` are taken of what is drawn.
    """
    image = np.unique(image_keys(a), return_inverse=True)[1]
    resampled = [_Resampled(one, image) for one in (a, b)]
    with without_intervals(), ProgressLine(resamples + 1, f"compare {name}") as line:
        step = iter(range(1, resamples + 2))

        def differences(counts: np.ndarray) -> Figures:
            first, second = (benchmark.figures(one.drawn(counts)) for one in resampled)
            line.update(next(step))
            return {
                key: second[key] - value
                for key, value in first.items()
                if key in second and not key.endswith(BOUNDS)
            }

        found = bootstrap_figures(differences, int(image.max()) + 1, len(a), resamples)
        first, second = benchmark.figures(a), benchmark.figures(b)
    return {key: (first[key], second[key], change) for key, change in found.items()}


class _Resampled:
    """Answers of which images are drawn; an image drawn again is another one, with questions of
    its own."""

    def __init__(self, answered: Sequence[ScoredAttempt], image: np.ndarray) -> None:
        self._copies = [[one] for one in answered]
        order = np.argsort(image, kind="stable")
        parts = np.split(order, np.flatnonzero(np.diff(image[order])) + 1)
        self._rows = [part.tolist() for part in parts]

    def drawn(self, counts: np.ndarray) -> list[ScoredAttempt]:
        return [
            one
            for rows, count in zip(self._rows, counts.tolist(), strict=True)
            for row in rows
            for one in self._first(row, count)
        ]

    def _first(self, row: int, count: int) -> Iterator[ScoredAttempt]:
        copies = self._copies[row]
        while len(copies) < count:
            copies.append(_copy(copies[0], len(copies)))
        return iter(copies[:count])


def _copy(one: ScoredAttempt, number: int) -> ScoredAttempt:
    sample = one.attempt.sample
    image = NamedImage(
        key=f"{sample.image.key} {number}", width=sample.image.width, height=sample.image.height
    )
    return replace(one, attempt=replace(one.attempt, sample=replace(sample, image=image)))
