"""An adapter merged into its base."""

from collections.abc import Callable

import pytest
import torch
from peft import PeftModel
from world_questions import world_samples

from groundrl.policy.adapters.merge import merge_adapter
from groundrl.policy.policy import Policy

pytestmark = pytest.mark.slow
ANSWERS = [[40, 41, 42], [43, 44]]


def learned(make_policy: Callable[..., Policy]) -> Policy:
    policy = make_policy("lora")
    for name, weight in policy.model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight, std=0.1, generator=torch.Generator().manual_seed(0))
    return policy


def test_a_merged_weight_is_that_of_the_formula(make_policy: Callable[..., Policy]) -> None:
    policy = learned(make_policy)
    layer = policy.vlm.model.language_model.layers[1].mlp.down_proj
    update = layer.lora_B["default"].weight @ layer.lora_A["default"].weight
    expected = layer.base_layer.weight.double() + 8 / 4 * update.double()
    examples = policy.encode.examples(world_samples(2))
    found = merge_adapter(policy, torch.float32, examples, ANSWERS)
    assert not isinstance(policy.model, PeftModel)
    merged = policy.vlm.model.language_model.layers[1].mlp.down_proj.weight
    torch.testing.assert_close(merged.double(), expected, rtol=0, atol=1e-6)
    assert found.tokens == 5
    assert found.merged == found.saved < 1e-3


def test_rounding_is_told_apart_from_merging(make_policy: Callable[..., Policy]) -> None:
    policy = learned(make_policy)
    examples = policy.encode.examples(world_samples(2))
    found = merge_adapter(policy, torch.bfloat16, examples, ANSWERS)
    assert found.merged < 1e-3 < found.saved
    assert {p.dtype for p in policy.parameters()} == {torch.bfloat16}


def test_a_policy_without_adapter_is_only_rounded(make_policy: Callable[..., Policy]) -> None:
    policy = make_policy("frozen")
    examples = policy.encode.examples(world_samples(2))
    assert merge_adapter(policy, torch.float32, examples, ANSWERS).merged == 0
