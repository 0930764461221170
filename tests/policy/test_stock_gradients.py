"""Gradients of the shared path against transformers alone: its own attention, one row each."""

import pytest
import torch
from families import build
from float64 import float64
from own_inputs import own_inputs
from torch import Tensor
from world_questions import world_samples

from groundrl.boxes import Frame
from groundrl.policy.adapters.adapter import Adapter
from groundrl.policy.policy import Policy
from groundrl.policy.shared_prefix.attention import ATTENTION_NAME
from groundrl.policy.shared_prefix.layout import Branch
from groundrl.prompts import PromptTemplate

SIZES = [[7, 3, 30], [6, 1]]


LORA = Adapter(rank=4, alpha=8)
LORA_EVERYWHERE = Adapter(rank=4, alpha=8, vision="lora")
ALL_WEIGHTS = Adapter(kind="none", vision="full")


def moved(family: str, adapter: Adapter) -> Policy:
    """With an adapter that does something."""
    vlm, processor = build(family)
    model = adapter.apply(vlm)
    noise = torch.Generator().manual_seed(2)
    for name, parameter in model.named_parameters():
        if "lora_" in name:
            parameter.data.normal_(0, 0.02, generator=noise)
    return Policy(model, processor, PromptTemplate(), Frame.PERMILLE)


def gradient(policy: Policy) -> Tensor:
    return torch.cat([p.grad.flatten() for p in policy.parameters() if p.grad is not None])


# In float32, rounding alone gives differences of 1e-6, which depend on the processor; in float64
# it gives less than 1e-13, so that the bound shows every other difference.
BOUND = 1e-11


@pytest.mark.slow
@pytest.mark.parametrize("family", ["qwen2_5_vl", "qwen3_vl", "gemma3", "llava_onevision"])
@pytest.mark.parametrize("adapter", [LORA, LORA_EVERYWHERE, ALL_WEIGHTS], ids=["lora", "+", "all"])
def test_sharing_gives_the_gradient_of_stock_transformers(family: str, adapter: Adapter) -> None:
    with float64():
        found, expected = gradients(family, adapter)
    assert found.dtype == expected.dtype == torch.float64
    assert len(found) == len(expected) > 1000
    assert expected.abs().max() > 1e-3
    assert (found - expected).abs().max() <= BOUND * expected.abs().max()


def gradients(family: str, adapter: Adapter) -> tuple[Tensor, Tensor]:
    """Of a weighted sum of log-probabilities: ours with shared prompts, and the class's own."""
    ours, stock = moved(family, adapter), moved(family, adapter)
    stock.vlm.config.get_text_config()._attn_implementation = "sdpa"
    prompts = [ours.encode(sample) for sample in world_samples(len(SIZES))]
    groups = [[list(range(50, 50 + size)) for size in sizes] for sizes in SIZES]
    scored = ours.logprobs(prompts, [[Branch(tokens=t) for t in group] for group in groups])
    weights = torch.linspace(-1, 1, scored.logprobs.numel()).view_as(scored.logprobs)
    (scored.logprobs * weights * scored.mask).sum().backward()
    rows = [(prompt, t) for prompt, group in zip(prompts, groups, strict=True) for t in group]
    for (prompt, tokens), weight in zip(rows, weights, strict=True):
        logits = stock.vlm(**own_inputs(stock, prompt, tokens)).logits[0, -len(tokens) - 1 : -1]
        placeholders = torch.tensor(stock.spec.placeholders)
        table = logits.index_fill(-1, placeholders, -torch.inf).log_softmax(-1)
        logprobs = table.gather(-1, torch.tensor(tokens)[:, None])[:, 0]
        (logprobs * weight[: len(tokens)]).sum().backward()
    assert stock.vlm.config.get_text_config()._attn_implementation != ATTENTION_NAME
    return gradient(ours), gradient(stock)
