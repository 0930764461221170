"""Every family: prefix sharing, the native engine and a GRPO step against transformers itself."""

import random
from pathlib import Path
from typing import Any, Literal

import pytest
import torch
from families import FAMILIES, build
from own_inputs import own_inputs
from peft import PeftModel
from stage_runs import grpo_module, train
from transformers import Gemma3Processor
from world_questions import with_context, world_samples

from groundrl.boxes import Frame
from groundrl.errors import UserError
from groundrl.losses import PolicyLoss
from groundrl.policy.adapters.adapter import Adapter
from groundrl.policy.family import is_tower
from groundrl.policy.load import load_policy
from groundrl.policy.policy import Policy
from groundrl.policy.shared_prefix.layout import Branch
from groundrl.prompts import PromptTemplate
from groundrl.rollout.base import Sampling
from groundrl.rollout.native import NativeEngine
from groundrl.rollout.sampler import Sampler

every_family = pytest.mark.parametrize("family", FAMILIES)


def make_policy(
    family: str, kind: Literal["lora"] | None = "lora", prefix_sharing: bool = True
) -> Policy:
    vlm, processor = build(family)
    return Policy(
        model=vlm if kind is None else Adapter(kind=kind, rank=4, alpha=8).apply(vlm),
        processor=processor,
        template=PromptTemplate(),
        frame=Frame.PERMILLE,
        prefix_sharing=prefix_sharing,
    )


def answers(policy: Policy, sizes: list[list[int]]) -> list[list[Branch]]:
    rng = random.Random(3)
    words = len(policy.processor.tokenizer)
    return [
        [Branch(tokens=[rng.randrange(50, words) for _ in range(size)]) for size in group]
        for group in sizes
    ]


@pytest.mark.slow
@every_family
def test_shared_logprobs_are_those_of_the_models_own_forward_pass(family: str) -> None:
    policy = make_policy(family, None)
    prompts = [policy.encode(sample) for sample in with_context(world_samples(3))]
    groups = answers(policy, [[40, 3, 1], [12], [5, 9]])
    with torch.no_grad():
        found = policy.logprobs(prompts, groups)
        flat = [(prompt, b.tokens) for prompt, g in zip(prompts, groups, strict=True) for b in g]
        for row, (prompt, tokens) in enumerate(flat):
            logits = policy.vlm(**own_inputs(policy, prompt, tokens)).logits[0]
            logits[:, policy.spec.placeholders] = -torch.inf
            table = logits[-len(tokens) - 1 : -1].log_softmax(-1)
            expected = table.gather(-1, torch.tensor(tokens)[:, None])[:, 0]
            torch.testing.assert_close(
                found.logprobs[row, : len(tokens)], expected, atol=5e-5, rtol=1e-4
            )


@pytest.mark.slow
@every_family
def test_sharing_changes_neither_logprobs_nor_gradients(family: str) -> None:
    found = []
    for sharing in (True, False):
        policy = make_policy(family, prefix_sharing=sharing)
        prompts = [policy.encode(sample) for sample in with_context(world_samples(2))]
        result = policy.logprobs(prompts, answers(policy, [[7, 3, 30], [6]]))
        weights = torch.linspace(-1, 1, result.logprobs.numel()).view_as(result.logprobs)
        (result.logprobs * weights * result.mask).sum().backward()
        gradients = {n: p.grad for n, p in policy.named_parameters() if p.grad is not None}
        assert gradients
        assert not any(
            is_tower(n.removeprefix("model.base_model.model."), policy.spec.language_model)
            for n in gradients
        )
        found.append((result.logprobs.detach(), gradients))
    torch.testing.assert_close(found[0], found[1], atol=2e-4, rtol=1e-3)


def test_recurrent_layers_mean_one_row_per_completion(caplog: pytest.LogCaptureFixture) -> None:
    assert not make_policy("qwen3_5").prefix_sharing
    assert "qwen3_5 has recurrent layers" in caplog.text
    caplog.clear()
    assert make_policy("qwen3_vl").prefix_sharing
    assert not caplog.text


def test_an_answer_ends_as_the_chat_template_ends_it() -> None:
    vlm, processor = build("gemma3")
    assert isinstance(processor, Gemma3Processor)
    assert isinstance(processor.chat_template, str)
    processor.chat_template = processor.chat_template.replace("<end>", "<end_of_image>")
    policy = Policy(model=vlm, processor=processor, template=PromptTemplate(), frame=Frame.PERMILLE)
    end = processor.tokenizer.convert_tokens_to_ids("<end_of_image>")
    assert policy.eos_token == policy.encode.answer_tokens("cup")[-1] == end


@pytest.mark.parametrize(("family", "fits"), [("qwen2_5_vl", True), ("internvl", False)])
def test_pixels_of_the_resized_image_need_an_image_resized_as_a_whole(
    family: str, fits: bool, tmp_path: Path
) -> None:
    vlm, processor = build(family)
    vlm.save_pretrained(tmp_path)
    processor.save_pretrained(tmp_path)

    def load() -> Policy:
        return load_policy(str(tmp_path), "model", PromptTemplate(), Adapter())

    if fits:
        assert load().frame is Frame.MODEL
    else:
        with pytest.raises(UserError, match=r"type model\.frame=permille"):
            load()


@pytest.mark.slow
@every_family
def test_greedy_tokens_are_those_of_generate(family: str) -> None:
    policy = make_policy(family, None)
    sampler = Sampler(NativeEngine(), Sampling(max_tokens=30, temperature=0.0), group_size=1)
    rollout = sampler(policy, policy.encode.examples(with_context(world_samples(4))), step=0)
    for group, prompt in zip(rollout.groups, rollout.prompts, strict=True):
        vlm: Any = policy.vlm
        expected = vlm.generate(
            **own_inputs(policy, prompt),
            do_sample=False,
            max_new_tokens=30,
            suppress_tokens=list(policy.spec.placeholders),
            eos_token_id=policy.eos_token,
        )[0, len(prompt.prefix.tokens) :]
        assert list(group.completions[0].tokens) == expected.tolist()


@pytest.mark.slow
@every_family
def test_an_adapter_trained_by_grpo_loads_in_plain_transformers(
    family: str, tmp_path: Path
) -> None:
    policy = make_policy(family)
    module = grpo_module(policy, loss=PolicyLoss(kl_coef=0.05), max_tokens=6)
    train(module, tmp_path, steps=2, prompts_per_step=2)
    policy.save(tmp_path / "adapter")
    loaded = PeftModel.from_pretrained(build(family)[0], tmp_path / "adapter")
    prompt = policy.encode(world_samples(1)[0])
    inputs = own_inputs(policy, prompt, [60, 61, 62])
    with torch.no_grad():
        expected = policy.vlm.eval()(**inputs).logits
        torch.testing.assert_close(loaded.eval()(**inputs).logits, expected)
        assert (build(family)[0](**inputs).logits - expected).abs().max() > 1e-4
