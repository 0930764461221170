"""The optimizers of a stage: which weights each steps, and at which learning rate."""

import copy
from pathlib import Path

import pytest
import torch
from stage_runs import MakePolicy, sft_module, train
from torch import nn

from groundrl.stages.fitting.optimization import Optimization
from groundrl.stages.muon import is_inner_matrix, muon_and_adamw


def small_network() -> nn.ModuleDict:
    torch.manual_seed(0)
    return nn.ModuleDict(
        {
            "embed_tokens": nn.Embedding(7, 6),
            "inner": nn.Linear(6, 6),
            "norm": nn.LayerNorm(6),
            "lm_head": nn.Linear(6, 7, bias=False),
        }
    )


INNER = ["inner.weight"]


def give_gradients(network: nn.Module, step: int) -> None:
    torch.manual_seed(step)
    for parameter in network.parameters():
        parameter.grad = torch.randn_like(parameter)


def test_matrices_step_as_by_muon_and_all_other_weights_as_by_adamw() -> None:
    ours, reference = small_network(), small_network()
    optimization = Optimization(lr=0.1, steps=4, warmup=2, optimizer="muon", adamw_share=0.5)
    optimizers = optimization.optimizers(ours)
    weights = dict(reference.named_parameters())
    muon = torch.optim.Muon(
        [weights.pop(name) for name in INNER],
        lr=0.1,
        weight_decay=0.0,
        adjust_lr_fn="match_rms_adamw",
    )
    adamw = torch.optim.AdamW(weights.values(), betas=(0.9, 0.95), weight_decay=0.0)
    for step in range(4):
        assert optimization.set_lr(optimizers, step) == 0.1 * optimization.factor(step)
        muon.param_groups[0]["lr"] = 0.1 * optimization.factor(step)
        adamw.param_groups[0]["lr"] = 0.05 * optimization.factor(step)
        for network, steppers in ((ours, optimizers), (reference, [muon, adamw])):
            give_gradients(network, step)
            for optimizer in steppers:
                optimizer.step()
    for mine, other in zip(ours.parameters(), reference.parameters(), strict=True):
        assert torch.equal(mine, other)


def test_adamw_alone_steps_every_weight_at_the_full_rate() -> None:
    network, reference = small_network(), small_network()
    optimization = Optimization(lr=0.1, steps=4, warmup=2)
    optimizers = optimization.optimizers(network)
    expected = torch.optim.AdamW(reference.parameters(), lr=0.05, betas=(0.9, 0.95), weight_decay=0)
    optimization.set_lr(optimizers, 0)
    for one, steppers in ((network, optimizers), (reference, [expected])):
        give_gradients(one, 0)
        for optimizer in steppers:
            optimizer.step()
    for mine, other in zip(network.parameters(), reference.parameters(), strict=True):
        assert torch.equal(mine, other)


def test_an_optimizer_without_weights_is_left_out_and_frozen_weights_are_in_none() -> None:
    network = small_network()
    for name, parameter in network.named_parameters():
        parameter.requires_grad = name in INNER
    (muon,) = Optimization(lr=0.1, steps=4, optimizer="muon").optimizers(network)
    assert isinstance(muon, torch.optim.Muon)
    assert muon.param_groups[0]["params"] == [network["inner"].weight]
    (adamw,) = muon_and_adamw([{"norm.bias": network["norm"].bias}], weight_decay=0.0)
    assert isinstance(adamw, torch.optim.AdamW)


def test_tables_of_the_embedded_model_are_no_matrices_for_muon(make_policy: MakePolicy) -> None:
    named = dict(make_policy(None).vlm.named_parameters())
    inner = {name for name, weight in named.items() if is_inner_matrix(name, weight)}
    others = {name for name, weight in named.items() if weight.ndim == 2} - inner
    assert others == {"model.language_model.embed_tokens.weight", "model.visual.pos_embed.weight"}
    assert all(name.endswith(".weight") for name in inner)


@pytest.mark.slow
def test_a_step_of_two_optimizers_counts_once(make_policy: MakePolicy, tmp_path: Path) -> None:
    policy = make_policy("none")
    before = copy.deepcopy(policy.vlm.state_dict())
    module = sft_module(policy, optimizer="muon")
    train(module, tmp_path, steps=3)
    assert module.trainer.global_step == 3
    after = policy.vlm.state_dict()
    learned = {name for name, weight in policy.vlm.named_parameters() if weight.requires_grad}
    assert learned
    assert all(not torch.equal(before[name], after[name]) for name in learned)
