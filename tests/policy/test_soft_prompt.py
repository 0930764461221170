"""Soft prompts: the vectors stand before the prompt, and everything else is as without them."""

import random
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import torch
from families import FAMILIES, build
from own_inputs import own_inputs
from peft import PeftModel
from safetensors.torch import load_file, save_file
from stage_runs import grpo_module, sft_module, train, weights
from torch import Tensor
from world_questions import with_context, world_samples

from groundrl.boxes import Frame
from groundrl.errors import UserError
from groundrl.policy.adapters.adapter import Adapter, without_adapter
from groundrl.policy.adapters.trained import load_adapter
from groundrl.policy.policy import Policy
from groundrl.policy.prompt import Prompt
from groundrl.policy.shared_prefix.layout import Branch
from groundrl.policy.vision_store import VisionFeatures
from groundrl.prompts import PromptTemplate
from groundrl.rollout.base import Sampling
from groundrl.rollout.native import NativeEngine
from groundrl.rollout.sampler import Sampler

MakePolicy = Callable[..., Policy]
TOKENS = 5
ONE_AXIS = ("idefics3", "smolvlm", "internvl", "llava_onevision")
"""Families whose positions PEFT cannot lose: they count tokens."""


def policy_of(family: str, prefix_sharing: bool = True) -> Policy:
    vlm, processor = build(family)
    return Policy(
        model=Adapter(kind="soft_prompt", tokens=TOKENS).apply(vlm),
        processor=processor,
        template=PromptTemplate(),
        frame=Frame.PERMILLE,
        prefix_sharing=prefix_sharing,
    )


def answers(policy: Policy, sizes: Sequence[int]) -> list[Branch]:
    rng = random.Random(3)
    words = len(policy.processor.tokenizer)
    return [Branch(tokens=[rng.randrange(50, words) for _ in range(size)]) for size in sizes]


def read_off(policy: Policy, logits: Tensor, tokens: Sequence[int]) -> Tensor:
    logits = logits[0, -len(tokens) - 1 : -1].clone()
    logits[:, policy.spec.placeholders] = -torch.inf
    return logits.log_softmax(-1).gather(-1, torch.tensor(tokens)[:, None])[:, 0]


def by_transformers(policy: Policy, prompt: Prompt, tokens: Sequence[int]) -> Tensor:
    """PEFT's vectors and the embedded words through the class's own forward pass, the positions
    those of the words alone, behind those of the vectors."""
    assert isinstance(policy.model, PeftModel)
    inputs = own_inputs(policy, prompt, tokens)
    ids = inputs.pop("input_ids")
    words = policy.vlm.get_input_embeddings()(ids)
    inputs["inputs_embeds"] = torch.cat([policy.model.get_prompt(1), words], dim=1)
    inputs["attention_mask"] = torch.ones(1, TOKENS + ids.shape[1], dtype=torch.long)
    if "mm_token_type_ids" in inputs and hasattr(policy.vlm.model, "get_rope_index"):
        own, _ = policy.vlm.model.get_rope_index(
            input_ids=ids,
            mm_token_type_ids=inputs.pop("mm_token_type_ids"),
            image_grid_thw=inputs["image_grid_thw"],
        )
        before = torch.arange(TOKENS).expand(3, 1, -1)
        inputs["position_ids"] = torch.cat([before, own + TOKENS], dim=-1)
    if "token_type_ids" in inputs:
        zeros = torch.zeros(1, TOKENS, dtype=torch.long)
        inputs["token_type_ids"] = torch.cat([zeros, inputs["token_type_ids"]], dim=1)
    return read_off(policy, policy.vlm(**inputs).logits, tokens)


@pytest.mark.slow
@pytest.mark.parametrize("family", FAMILIES)
def test_logprobs_are_those_of_transformers_and_peft(family: str) -> None:
    policy = policy_of(family)
    samples = with_context(world_samples(2))
    prompts = [policy.encode(sample) for sample in samples]
    groups = [answers(policy, [40, 3, 1]), answers(policy, [12])]
    with torch.no_grad():
        found = policy.logprobs(prompts, groups).logprobs
        flat = [(p, one.tokens) for p, group in zip(prompts, groups, strict=True) for one in group]
        for row, (prompt, tokens) in enumerate(flat):
            expected = by_transformers(policy, prompt, tokens)
            torch.testing.assert_close(found[row, : len(tokens)], expected, atol=5e-5, rtol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("family", ["qwen3_vl", *ONE_AXIS])
def test_pefts_own_pass_agrees_where_positions_only_count_tokens(family: str) -> None:
    policy = policy_of(family)
    prompt, (branch,) = policy.encode(world_samples(1)[0]), answers(policy, [6])
    with torch.no_grad():
        found = policy.logprobs([prompt], [[branch]]).logprobs[0]
        logits = policy.model(**own_inputs(policy, prompt, branch.tokens)).logits
    difference = (found - read_off(policy, logits, branch.tokens)).abs().max().item()
    # Of Qwen-VL it drops where in the picture a token stands.
    assert difference > 0.05 if family == "qwen3_vl" else difference < 1e-5


def test_sharing_the_prompt_changes_neither_logprobs_nor_gradients() -> None:
    found = []
    for sharing in (True, False):
        torch.manual_seed(0)
        policy = policy_of("qwen3_vl", sharing)
        prompts = [policy.encode(sample) for sample in world_samples(2)]
        result = policy.logprobs(prompts, [answers(policy, [7, 3]), answers(policy, [6])])
        result.logprobs.sum().backward()
        (learnt,) = (p for p in policy.parameters() if p.requires_grad)
        assert learnt.grad is not None
        assert learnt.shape[0] == TOKENS
        assert (learnt.grad.norm(dim=1) > 0).all()
        found.append((result.logprobs.detach(), learnt.grad))
    torch.testing.assert_close(found[0], found[1], atol=2e-5, rtol=1e-4)


@pytest.mark.slow
def test_rollouts_are_sampled_with_the_vectors(make_policy: MakePolicy) -> None:
    policy = make_policy("soft_prompt")
    samples = world_samples(3)
    sampler = Sampler(NativeEngine(), Sampling(max_tokens=6), group_size=3)
    groups = sampler(policy, policy.encode.examples(samples), step=0).groups
    prompts = [policy.encode(sample) for sample in samples]
    completions = [[Branch(tokens=one.tokens) for one in group.completions] for group in groups]
    with torch.no_grad():
        scored = policy.logprobs(prompts, completions)
    drawn = torch.nn.utils.rnn.pad_sequence(
        [torch.tensor(one.logprobs) for group in groups for one in group.completions], True
    )
    torch.testing.assert_close(scored.logprobs, drawn, atol=2e-5, rtol=1e-4)


def test_without_the_adapter_the_model_answers_as_it_was(make_policy: MakePolicy) -> None:
    plain, policy = make_policy(None), make_policy("soft_prompt")
    (sample,) = world_samples(1)
    group = [answers(plain, [6, 4])]
    with torch.no_grad():
        expected = plain.logprobs([plain.encode(sample)], group).logprobs
        prompted = policy.logprobs([policy.encode(sample)], group).logprobs
        with without_adapter(policy):
            found = policy.logprobs([policy.encode(sample)], group).logprobs
        again = policy.logprobs([policy.encode(sample)], group).logprobs
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(again, prompted)
    assert (prompted - expected).abs().max() > 1e-3


def test_the_reference_stays_while_the_policy_moves(make_policy: MakePolicy) -> None:
    policy = make_policy("soft_prompt")
    prompt, group = policy.encode(world_samples(1)[0]), [answers(policy, [6, 4])]
    start = policy.logprobs([prompt], group).logprobs.detach()
    policy.fix_reference()
    fixed = policy.fixed_weights()
    (learnt,) = (p for p in policy.parameters() if p.requires_grad)
    learnt.data.normal_()
    with policy.reference():
        torch.testing.assert_close(policy.logprobs([prompt], group).logprobs, start)
    assert (policy.logprobs([prompt], group).logprobs - start).abs().max() > 1e-3
    assert policy.fixed_weights() == fixed
    assert set(fixed) == {"base", "reference"}
    assert fixed["base"] == make_policy("frozen").fixed_weights()["base"]


def test_a_saved_prompt_is_loaded_by_us_and_by_peft(
    make_policy: MakePolicy, tmp_path: Path
) -> None:
    trained, fresh = make_policy("soft_prompt"), make_policy("soft_prompt", seed=1)
    (learnt,) = (p for p in trained.parameters() if p.requires_grad)
    learnt.data.normal_()
    trained.save(tmp_path)
    fresh.load(tmp_path)
    ours = load_adapter(make_policy(None).vlm, str(tmp_path))
    theirs = PeftModel.from_pretrained(make_policy(None).vlm, str(tmp_path))
    for model in (fresh.model, theirs, ours):
        assert isinstance(model, PeftModel)
        torch.testing.assert_close(model.get_prompt(1)[0].detach(), learnt.detach())
    assert not any(p.requires_grad for p in ours.parameters())


def test_a_prompt_of_another_width_is_an_error(make_policy: MakePolicy, tmp_path: Path) -> None:
    make_policy("soft_prompt").save(tmp_path)
    file = tmp_path / "adapter_model.safetensors"
    save_file({name: x[:, :8].contiguous() for name, x in load_file(file).items()}, file)
    with pytest.raises(
        UserError, match=r"vectors of shape \(20, 8\), and the model takes \(20, 64"
    ):
        load_adapter(make_policy(None).vlm, str(tmp_path))


@pytest.mark.slow
def test_only_the_vectors_learn_and_the_loss_falls(make_policy: MakePolicy, tmp_path: Path) -> None:
    policy = make_policy("soft_prompt")
    base, prompt = weights(policy, learning=False), weights(policy)
    module = sft_module(policy, lr=0.3, steps=12)
    train(module, tmp_path, steps=12, prompts_per_step=4, samples=world_samples(4))
    assert all(torch.equal(base[name], x) for name, x in weights(policy, learning=False).items())
    assert [x.shape for x in prompt.values()] == [(20, 64)]
    assert module.logged["sft/loss"] < 5.5  # from above 6


@pytest.mark.slow
def test_grpo_learns_a_soft_prompt_and_resumes_as_if_it_had_not_stopped(
    make_policy: MakePolicy, tmp_path: Path
) -> None:
    whole, stopped, resumed = (make_policy("soft_prompt") for _ in range(3))
    before = weights(whole)
    train(grpo_module(whole, lr=0.1), tmp_path / "whole")
    look, left = stopped.features, [1, 1]

    def features(prompts: list[Prompt]) -> list[VisionFeatures]:
        left.pop()
        return look(prompts)

    stopped.features = features
    with pytest.raises(IndexError):
        train(grpo_module(stopped, lr=0.1), tmp_path / "stopped")
    train(grpo_module(resumed, lr=0.1), tmp_path / "stopped")
    for name, value in weights(whole).items():
        assert torch.equal(weights(resumed)[name], value)
        assert not torch.equal(value, before[name])
