"""Classes that groundrl knows nothing of: stock attention, one row per completion."""

import random

import pytest
import torch
from transformers import Gemma4Config, Gemma4ForConditionalGeneration
from transformers.models.gemma4.configuration_gemma4 import Gemma4TextConfig, Gemma4VisionConfig
from untested_families import paligemma
from world_questions import world_samples

from groundrl.boxes import Frame
from groundrl.policy.family import spec_of
from groundrl.policy.policy import Policy
from groundrl.policy.shared_prefix.layout import Branch
from groundrl.prompts import PromptTemplate
from groundrl.rollout.base import Sampling
from groundrl.rollout.native import NativeEngine
from groundrl.rollout.sampler import Sampler


@torch.no_grad()
def test_a_prompt_that_sees_all_of_itself_is_computed_as_the_class_does(
    caplog: pytest.LogCaptureFixture,
) -> None:
    policy = Policy(*paligemma(), PromptTemplate(), Frame.PERMILLE)
    message = "paligemma is not tested with shared prompts: each prompt is computed once per"
    assert caplog.text.count(message) == 1
    rng = random.Random(3)
    groups = [
        [[rng.randrange(50, 200) for _ in range(n)] for n in sizes] for sizes in ([9, 2], [5])
    ]
    prompts = [policy.encode(sample) for sample in world_samples(2)]
    found = policy.logprobs(prompts, [[Branch(tokens=t) for t in group] for group in groups])
    rows = [(prompt, t) for prompt, group in zip(prompts, groups, strict=True) for t in group]
    for logprobs, (prompt, tokens) in zip(found.logprobs, rows, strict=True):
        ids = torch.cat([prompt.prefix.tokens, torch.tensor(tokens)])[None]
        answer = torch.arange(ids.shape[1])[None] >= len(prompt.prefix.tokens)
        shown = {"attention_mask": torch.ones_like(ids), "token_type_ids": answer.long()}
        logits = policy.vlm(input_ids=ids, **shown, **prompt.images[0].pixels).logits[0]
        logits = logits[-len(tokens) - 1 : -1]
        logits[:, policy.spec.placeholders] = -torch.inf
        expected = logits.log_softmax(-1).gather(-1, torch.tensor(tokens)[:, None])[:, 0]
        torch.testing.assert_close(logprobs[: len(tokens)], expected, atol=5e-5, rtol=1e-4)


@torch.no_grad()
def test_rollouts_have_the_logprobs_of_the_update() -> None:
    policy = Policy(*paligemma(), PromptTemplate(), Frame.PERMILLE)
    sampler = Sampler(NativeEngine(), Sampling(max_tokens=6), group_size=2)
    rollout = sampler(policy, policy.encode.examples(world_samples(2)), step=0)
    branches = [[Branch(tokens=c.tokens) for c in g.completions] for g in rollout.groups]
    scored = policy.logprobs(rollout.prompts, branches).logprobs
    drawn = [c.logprobs for group in rollout.groups for c in group.completions]
    for row, logprobs in zip(scored, drawn, strict=True):
        torch.testing.assert_close(
            row[: len(logprobs)], torch.tensor(logprobs), atol=5e-5, rtol=1e-4
        )


def test_images_that_see_themselves_share_nothing_in_a_class_that_is_not_tested() -> None:
    layers = ["sliding_attention", "full_attention"]
    text = Gemma4TextConfig(
        use_bidirectional_attention="vision", num_hidden_layers=2, layer_types=layers
    )
    config = Gemma4Config(
        text_config=text, vision_config=Gemma4VisionConfig(num_hidden_layers=1), audio_config=None
    )
    with torch.device("meta"):
        spec = spec_of(Gemma4ForConditionalGeneration(config))
    assert not spec.shares_prefixes
    images, answer = torch.tensor([[0, 1, 1, 0, 2, 0]]), torch.tensor([[0, 0, 0, 0, 0, 1]]).bool()
    ids = spec.type_ids(images, answer)
    assert {name: types.tolist() for name, types in ids.items()} == {
        "mm_token_type_ids": [[0, 1, 1, 0, 1, 0]]
    }
