"""LoRA over 4-bit weights on the CPU: what is quantized, and that it stays exact."""

from pathlib import Path
from typing import Literal

import pytest
import torch
from bitsandbytes.nn.modules import Linear4bit
from families import build
from stage_runs import grpo_module, train, weights
from transformers import PreTrainedTokenizerFast
from world_questions import world_samples

from groundrl.losses import PolicyLoss
from groundrl.policy.adapters.adapter import Adapter
from groundrl.policy.load import load_policy
from groundrl.policy.policy import Policy
from groundrl.policy.shared_prefix.layout import Branch
from groundrl.policy.shared_prefix.scoring import TokenLogprobs
from groundrl.pretraining.architecture import build_model, build_processor
from groundrl.prompts import PromptTemplate
from groundrl.rollout.adapter_files import AdapterPublisher
from groundrl.rollout.base import Sampling
from groundrl.rollout.native import NativeEngine
from groundrl.rollout.sampler import Sampler

# transformers and bitsandbytes about their own internals.
pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning:transformers")

ANSWERS = [[[30, 31, 32, 33], [40, 41]], [[35, 36, 37], [50]]]


@pytest.fixture(scope="module")
def checkpoint(
    tmp_path_factory: pytest.TempPathFactory, tokenizer: PreTrainedTokenizerFast
) -> Path:
    """A random two-layer Qwen3-VL on disk."""
    folder = tmp_path_factory.mktemp("model")
    torch.manual_seed(0)
    build_model(tokenizer, width=64, layers=2).save_pretrained(str(folder))
    build_processor(tokenizer).save_pretrained(str(folder))
    return folder


def load(checkpoint: Path, kind: Literal["lora", "qlora"], prefix_sharing: bool = True) -> Policy:
    torch.manual_seed(0)
    return load_policy(
        str(checkpoint),
        "permille",
        PromptTemplate(),
        Adapter(kind=kind, rank=4, alpha=8),
        prefix_sharing=prefix_sharing,
    )


def score(policy: Policy) -> TokenLogprobs:
    prompts = [policy.encode(sample) for sample in world_samples(2)]
    return policy.logprobs(prompts, [[Branch(tokens=t) for t in group] for group in ANSWERS])


def shake(policy: Policy, seed: int = 1) -> None:
    """An adapter that changes something: fresh ones are zero."""
    generator = torch.Generator().manual_seed(seed)
    for name, parameter in policy.named_parameters():
        if "lora_B.default" in name:
            parameter.data.normal_(0, 0.1, generator=generator)


def gradients(policy: Policy) -> dict[str, torch.Tensor]:
    policy.zero_grad()
    score(policy).logprobs.sum().backward()
    return {n: p.grad.clone() for n, p in policy.named_parameters() if p.grad is not None}


def test_only_the_linear_layers_of_the_language_model_have_four_bits(checkpoint: Path) -> None:
    policy = load(checkpoint, "qlora")
    found = {n for n, m in policy.vlm.named_modules() if isinstance(m, Linear4bit)}
    assert len(found) == 2 * 7  # layers times projections
    assert all(".language_model.layers." in name for name in found)


def test_four_bit_weights_take_less_than_a_fifth_of_float32(checkpoint: Path) -> None:
    policy = load(checkpoint, "qlora")
    layers = [m for m in policy.vlm.modules() if isinstance(m, Linear4bit)]
    # The annotation of the weight is a plain Tensor.
    scales = [m.weight.quant_state.absmax for m in layers]  # pyright: ignore[reportAttributeAccessIssue]
    parts = [*(layer.weight for layer in layers), *scales]
    stored = sum(part.numel() * part.element_size() for part in parts)
    full = sum(4 * layer.in_features * layer.out_features for layer in layers)
    assert stored < full / 5


@pytest.mark.slow
def test_gradients_reach_every_adapter_after_a_rollout(checkpoint: Path) -> None:
    policy = load(checkpoint, "qlora")
    shake(policy)
    before = gradients(policy)
    sampler = Sampler(NativeEngine(), Sampling(max_tokens=4), group_size=2)
    policy.eval()
    sampler(policy, policy.encode.examples(world_samples(1)), step=0)
    after = gradients(policy)
    trainable = {n for n, p in policy.named_parameters() if p.requires_grad}
    assert set(after) == trainable
    for name, value in after.items():
        assert value.abs().max() > 0, name
        torch.testing.assert_close(value, before[name], rtol=0, atol=0)


@pytest.mark.slow
def test_sharing_the_prefix_is_exact_over_four_bit_weights(checkpoint: Path) -> None:
    shared, plain = load(checkpoint, "qlora"), load(checkpoint, "qlora", prefix_sharing=False)
    for policy in (shared, plain):
        shake(policy)
    with torch.no_grad():
        torch.testing.assert_close(
            score(shared).logprobs, score(plain).logprobs, atol=5e-5, rtol=1e-5
        )


@pytest.mark.slow
def test_the_reference_stays_where_it_was_fixed(checkpoint: Path) -> None:
    policy = load(checkpoint, "qlora")
    with torch.no_grad():
        start = score(policy).logprobs
    policy.fix_reference()
    shake(policy)
    with torch.no_grad():
        moved = score(policy).logprobs
    with policy.reference():
        reference = score(policy).logprobs
    torch.testing.assert_close(reference, start, rtol=0, atol=0)
    assert (moved - start).abs().max() > 1e-3


@pytest.mark.slow
def test_a_saved_adapter_comes_back(checkpoint: Path, tmp_path: Path) -> None:
    policy = load(checkpoint, "qlora")
    shake(policy)
    policy.save(tmp_path / "adapter")
    other = load(checkpoint, "qlora")
    other.load(tmp_path / "adapter")
    with torch.no_grad():
        torch.testing.assert_close(score(other).logprobs, score(policy).logprobs, rtol=0, atol=0)


@pytest.mark.slow
@pytest.mark.parametrize("family", ["qwen2_5_vl", "gemma3"])
def test_grpo_over_four_bits_moves_the_adapter_and_never_the_base(
    family: str, tmp_path: Path
) -> None:
    for part in build(family):
        part.save_pretrained(tmp_path / "model")
    policy = load(tmp_path / "model", "qlora")
    assert sum(isinstance(module, Linear4bit) for module in policy.vlm.modules()) == 2 * 7
    shake(policy)
    learning, base = weights(policy), weights(policy, learning=False)
    module = grpo_module(policy, loss=PolicyLoss(kl_coef=0.05), max_tokens=6)
    train(module, tmp_path, steps=2, prompts_per_step=2)
    moved = weights(policy)
    assert any(not torch.equal(moved[name], value) for name, value in learning.items())
    after = weights(policy, learning=False)
    assert all(torch.equal(after[name], value) for name, value in base.items())


@pytest.mark.slow
def test_vllm_engines_say_that_their_base_is_finer(checkpoint: Path) -> None:
    publish = AdapterPublisher()
    policy = load(checkpoint, "qlora")
    with pytest.warns(UserWarning, match="trained on 4-bit weights"):
        version = publish(policy)
    assert publish(policy) == version  # once is enough
    AdapterPublisher()(load(checkpoint, "lora"))
