"""Figures of a whole benchmark in two runs: paired, by image, by the benchmark itself."""

import json
import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from replies import PLAIN, replies

from groundrl.answers.record import AnswerOrigin, AnswerRecord, read_record
from groundrl.evaluation import resampling
from groundrl.evaluation.benchmarks import world
from groundrl.evaluation.benchmarks.base import ScoredAttempt
from groundrl.evaluation.benchmarks.world_caption import WorldCaption
from groundrl.evaluation.benchmarks.world_pope import WorldPOPE
from groundrl.evaluation.compare import compare
from groundrl.evaluation.inference import prediction_line
from groundrl.evaluation.resampling import paired_figures
from groundrl.records import Sample


def noisy(seed: int, share: float) -> Callable[[Sample], str]:
    """Right but for a share of the questions."""
    draw = random.Random(seed)

    def say(sample: Sample) -> str:
        other = [word for word in ("yes", "no") if word != sample.answers[0]]
        return sample.answers[0] if draw.random() > share else other[0]

    return say


def resampled(values: Sequence[float]) -> tuple[float, float]:
    low, high = np.quantile(values, (0.025, 0.975))
    return float(low), float(high)


def test_f1_changes_as_in_a_plain_loop_over_images() -> None:
    benchmark = WorldPOPE(size=30)
    samples = benchmark.questions().samples
    shared = [replace(one, image=samples[2 * (row // 3)].image) for row, one in enumerate(samples)]
    a, b = (replies(benchmark, shared, noisy(seed, part)) for seed, part in ((0, 0.4), (1, 0.1)))
    first, second, change = paired_figures("pope", benchmark, a, b, resamples=500)["f1"]
    assert change.mean == pytest.approx(second - first)

    def f1(rows: list[ScoredAttempt]) -> float:
        hits = sum(one.scores["yes"] * one.scores["true"] for one in rows)
        return 2 * hits / sum(one.scores["yes"] + one.scores["true"] for one in rows)

    images: dict[str, list[int]] = {}
    for row, one in enumerate(a):
        images.setdefault(one.attempt.sample.image.key, []).append(row)
    assert len(images) == 20
    draw = random.Random(3)
    loop = []
    for _ in range(2000):
        rows = [row for _ in images for row in draw.choice(list(images.values()))]
        loop.append(f1([b[row] for row in rows]) - f1([a[row] for row in rows]))
    assert (change.low, change.high) == pytest.approx(resampled(loop), abs=0.04)


@pytest.mark.slow
def test_sums_of_mme_count_an_image_twice_that_is_drawn_twice() -> None:
    benchmark = world.WorldMME(size=20)
    samples = benchmark.questions().samples
    a, b = (replies(benchmark, samples, noisy(seed, part)) for seed, part in ((0, 0.4), (1, 0.1)))
    found = paired_figures("mme", benchmark, a, b, resamples=100)
    first, second, change = found["perception"]
    assert 0 < first < second <= 800
    assert change.low < change.mean < change.high
    assert change.mean == pytest.approx(second - first)
    pairs = {name for name in found if name.endswith("acc_plus")}
    assert len(pairs) == 4
    # Drawn with replacement, everything right stays everything right.
    perfect = replies(benchmark, benchmark.questions().samples, lambda s: s.answers[0])
    assert (
        paired_figures("mme", benchmark, perfect, perfect, resamples=9)["perception"][2].high == 0
    )
    counts = np.full(len({one.attempt.sample.image.key for one in a}), 2)
    _, places = np.unique([one.attempt.sample.image.key for one in a], return_inverse=True)
    doubled = resampling._Resampled(perfect, places).drawn(counts)
    assert len(doubled) == 2 * len(perfect)
    assert benchmark.figures(doubled)["perception"] == 800


def records(answers: Sequence[ScoredAttempt]) -> dict[tuple[str, str], AnswerRecord]:
    asking = AnswerOrigin(notation=PLAIN)
    rows = [read_record(json.loads(prediction_line(one, "captions", asking))) for one in answers]
    return {("captions", row.id): row for row in rows}


@pytest.mark.slow
def test_a_comparison_has_the_figures_of_the_benchmark(tmp_path: Path) -> None:
    benchmark = WorldCaption(size=12)
    samples = benchmark.questions().samples
    a = records(replies(benchmark, samples, lambda s: "A cup and a bus and a dog."))
    b = records(replies(benchmark, samples, lambda s: f"A {s.answers[0]}."))
    found = {one.name: one for one in compare(a, b, {"captions": benchmark})}
    assert found["captions/chair_i"].b == 0
    assert found["captions/chair_i"].change.high < 0
    assert found["captions/chair_s"].change.mean < 0
    assert not any(name.endswith(("_low", "_high")) for name in found)
    assert {one.name for one in compare(a, a, {"captions": benchmark})} == {"captions/iou"}
