"""Questions about the same images share what they begin with, and get the same answers."""

from dataclasses import replace

import pytest
import torch
from families import FAMILIES, build
from world_questions import with_context, world_samples

from groundrl.boxes import Frame
from groundrl.policy.policy import Policy
from groundrl.prompts import PromptTemplate
from groundrl.records import Sample
from groundrl.rollout.base import Sampling
from groundrl.rollout.native import NativeEngine
from groundrl.rollout.prefill import order_by_length
from groundrl.rollout.sampler import Rollout, Sampler

NOT_SHARED = {"qwen3_5": "a running state", "gemma3": "a window"}


def questions() -> list[Sample]:
    """Three about an image, two about another one, which is shown beside a third."""
    first, second = with_context(world_samples(2))
    asked = [
        first,
        replace(first, question="What?"),
        replace(first, question="How many are there?"),
    ]
    asked += [second, replace(second, question="Where is it, and why?")]
    return [replace(sample, id=str(number)) for number, sample in enumerate(asked)]


def answered(policy: Policy, samples: list[Sample], temperature: float) -> Rollout:
    sampling = Sampling(max_tokens=10, temperature=temperature)
    return Sampler(NativeEngine(), sampling, group_size=2)(
        policy, policy.encode.examples(samples), step=0
    )


@pytest.mark.slow
@pytest.mark.parametrize("temperature", [0.0, 1.0])
@pytest.mark.parametrize("family", FAMILIES)
def test_answers_are_those_of_questions_asked_alone(family: str, temperature: float) -> None:
    vlm, processor = build(family)
    policy = Policy(model=vlm, processor=processor, template=PromptTemplate(), frame=Frame.PERMILLE)
    pieces: list[int] = []
    """Tokens that stand for pixels, read in each pass."""
    policy.vlm.model.register_forward_pre_hook(
        lambda _, args, inputs: pieces.append(
            int((inputs["input_ids"] == policy.spec.image_token).sum())
        ),
        with_kwargs=True,
    )
    samples = questions()
    alone = [answered(policy, [sample], temperature).groups[0] for sample in samples]
    apart = sum(pieces)
    pieces.clear()
    together = answered(policy, samples, temperature).groups
    for one, other in zip(together, alone, strict=True):
        for found, expected in zip(one.completions, other.completions, strict=True):
            assert found.tokens == expected.tokens
            torch.testing.assert_close(
                torch.tensor(found.logprobs), torch.tensor(expected.logprobs), atol=1e-4, rtol=1e-4
            )
    first, _, _, second, _ = policy.encode.examples(samples)
    once = sum(image.tokens for _, prompt in (first, second) for image in prompt.images)
    assert sum(pieces) == (apart if family in NOT_SHARED else once)
    assert once < apart / 2


def test_prompts_of_an_image_stand_together_and_lengths_grow() -> None:
    vlm, processor = build("qwen3_vl")
    policy = Policy(model=vlm, processor=processor, template=PromptTemplate(), frame=Frame.PERMILLE)
    first, second, third = world_samples(3)
    asked = [
        replace(first, question="a" * 9),
        replace(second, question="a" * 5),
        replace(first, question="a" * 2),
        replace(third, question="a" * 7),
    ]
    assert order_by_length([policy.encode(sample) for sample in asked]) == [1, 3, 2, 0]
