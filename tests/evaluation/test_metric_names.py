"""Names of figures, and figures against torchmetrics."""

import random

import numpy as np
import pytest
import torch
from replies import figures
from torchmetrics.functional.classification import (
    binary_accuracy,
    binary_cohen_kappa,
    binary_f1_score,
    binary_precision,
    binary_recall,
)

from groundrl.evaluation.benchmarks import world
from groundrl.evaluation.benchmarks.world_caption import WorldCaption
from groundrl.evaluation.benchmarks.world_pope import WorldPOPE
from groundrl.intervals import cohen_kappa
from groundrl.metrics import EVALUATION

COUNTS = {"n", "multi_n", "boxes_true"}
WORLDS = (
    *(world.WorldVQA, world.WorldREC, WorldPOPE, world.WorldMME),
    *(world.WorldVSR, world.WorldRel3D, WorldCaption),
)


@pytest.mark.slow
@pytest.mark.parametrize("kind", WORLDS)
def test_every_figure_is_declared_and_lies_in_its_interval(kind: type[WorldPOPE]) -> None:
    benchmark = kind(size=6)
    samples = benchmark.questions().samples
    texts = ["yes", "<think>[1,1,9,9 red cup]</think><answer>true</answer>", "", "A box."]
    found = figures(benchmark, samples, lambda s: texts[samples.index(s) % 4])
    assert found["n"] == len(samples)
    for name, value in found.items():
        plain = name.removesuffix("_low").removesuffix("_high").rpartition("/")[2]
        assert plain in {**EVALUATION, **benchmark.figure_infos}, name
        if plain not in COUNTS and not name.endswith(("_low", "_high")):
            assert found[f"{name}_low"] <= value <= found[f"{name}_high"], name


@pytest.mark.slow
def test_pope_and_kappa_equal_torchmetrics() -> None:
    benchmark = WorldPOPE(size=40)
    samples = benchmark.questions().samples
    draw = random.Random(0)
    said = {sample.id: draw.choice(("yes", "no")) for sample in samples}
    found = figures(benchmark, samples, lambda s: said[s.id])
    predicted = torch.tensor([said[s.id] == "yes" for s in samples]).int()
    true = torch.tensor([s.answers == ("yes",) for s in samples]).int()
    theirs = {
        "acc": binary_accuracy,
        "precision": binary_precision,
        "recall": binary_recall,
        "f1": binary_f1_score,
    }
    for name, function in theirs.items():
        assert found[name] == pytest.approx(float(function(predicted, true)))
    kappa = float(binary_cohen_kappa(predicted, true))
    table = np.zeros((2, 2))
    np.add.at(table, (predicted.numpy(), true.numpy()), 1)
    assert cohen_kappa(table) == pytest.approx(kappa, abs=1e-6)
