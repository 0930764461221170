"""Prompts of several images: what belongs to which."""

import pickle
import warnings
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from families import FAMILIES, build
from own_inputs import own_inputs
from world_questions import with_context, world_samples

from groundrl.boxes import Frame
from groundrl.policy.policy import Policy
from groundrl.policy.processor import limit_pixels, pixel_limits
from groundrl.prompts import PromptTemplate
from groundrl.records import Sample
from groundrl.world.source import SceneImage

MakePolicy = Callable[..., Policy]


def two_images() -> Sample:
    return with_context(world_samples(2))[1]


@pytest.mark.slow
@pytest.mark.parametrize("family", FAMILIES)
def test_each_image_has_its_own_pixels_and_tokens(family: str) -> None:
    vlm, processor = build(family)
    policy = Policy(model=vlm, processor=processor, template=PromptTemplate(), frame=Frame.PERMILLE)
    sample = two_images()
    prompt = policy.encode(sample)
    assert [image.source for image in prompt.images] == list(sample.images)
    tokens = (prompt.prefix.tokens == policy.spec.image_token).sum()
    assert sum(image.tokens for image in prompt.images) == tokens
    together = policy.features([prompt])[0]
    apart = [policy.features([replace(prompt, images=(image,))])[0] for image in prompt.images]
    torch.testing.assert_close(
        together.tokens, torch.cat([feature.tokens for feature in apart]), atol=1e-4, rtol=1e-4
    )
    if family == "llava_onevision":  # cuts an image into tiles only where it is alone
        return
    for image in prompt.images:
        (alone,) = policy.encode(replace(sample, image=image.source, context_images=())).images
        assert alone.tokens == image.tokens
        assert all(torch.equal(alone.pixels[name], image.pixels[name]) for name in alone.pixels)


@pytest.mark.slow
@pytest.mark.parametrize("family", FAMILIES)
def test_the_encoder_goes_to_other_processes_without_the_weights(family: str) -> None:
    vlm, processor = build(family)
    policy = Policy(model=vlm, processor=processor, template=PromptTemplate(), frame=Frame.PERMILLE)
    packed = pickle.dumps(policy.encode)
    assert len(packed) < sum(4 * p.numel() for p in policy.parameters()) / 4
    found, expected = pickle.loads(packed)(two_images()), policy.encode(two_images())
    assert torch.equal(found.prefix.tokens, expected.prefix.tokens)
    assert torch.equal(found.prefix.positions, expected.prefix.positions)


def test_a_prompt_is_its_image_prefix_and_what_follows(make_policy: MakePolicy) -> None:
    policy = make_policy(None)
    for sample in with_context(world_samples(2)):
        whole = policy.encode(sample)
        head = policy.encode.image_prefix(*sample.images)
        tail = policy.encode.after_images(sample)
        size = len(head.prefix.tokens)
        assert whole.prefix.tokens.tolist() == [*head.prefix.tokens.tolist(), *tail]
        assert torch.equal(whole.prefix.positions[:, :size], head.prefix.positions)
        assert head.prefix.images.max() == len(sample.images)


def test_an_unexpanded_prompt_has_one_token_for_each_image(make_policy: MakePolicy) -> None:
    policy = make_policy(None)
    prompt = policy.encode(two_images())
    short = torch.tensor(policy.encode.unexpanded(prompt))
    image = policy.spec.image_token
    assert (short == image).sum() == 2
    whole = prompt.prefix.tokens
    assert torch.equal(short[short != image], whole[whole != image])


def test_boxes_refer_to_the_first_image(make_policy: MakePolicy) -> None:
    policy, sample = make_policy(None), two_images()
    assert policy.encode(sample).sizes == policy.encode(replace(sample, context_images=())).sizes
    (turn,) = policy.encode(sample).messages
    assert [part["type"] for part in turn["content"]] == ["image", "image", "text"]


def test_images_are_loaded_once_for_the_questions_that_follow_each_other(
    make_policy: MakePolicy, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = world_samples(2)
    asked = [first, replace(first, question="What?"), second, replace(second, question="Why so?")]
    alone = [make_policy(None).encode(sample) for sample in asked]
    loaded: list[str] = []
    load = SceneImage.load
    monkeypatch.setattr(SceneImage, "load", lambda image: loaded.append(image.key) or load(image))
    encode = make_policy(None).encode
    for sample, expected in zip(asked, alone, strict=True):
        found = encode(sample)
        assert torch.equal(found.prefix.tokens, expected.prefix.tokens)
        assert torch.equal(found.prefix.positions, expected.prefix.positions)
        assert torch.equal(found.prefix.images, expected.prefix.images)
        assert found.messages == expected.messages
    assert loaded == [first.image.key, second.image.key]


@pytest.mark.parametrize("family", FAMILIES)
def test_a_prompt_has_the_tokens_that_the_processor_makes_of_the_whole(family: str) -> None:
    vlm, processor = build(family)
    policy = Policy(model=vlm, processor=processor, template=PromptTemplate(), frame=Frame.PERMILLE)
    for sample in with_context(world_samples(2)):
        prompt = policy.encode(sample)
        assert prompt.prefix.tokens.tolist() == own_inputs(policy, prompt)["input_ids"][0].tolist()


def test_limits_of_pixels_hold_without_a_warning(make_policy: MakePolicy) -> None:
    policy = make_policy(None)
    before, after = world_samples(2)
    free = policy.encode(before).sizes
    limit_pixels(policy.processor, None, 64 * 64)
    limits = pixel_limits(policy.processor)
    with warnings.catch_warnings(action="error"):
        sizes = policy.encode(after).sizes
    assert limits["max_pixels"] == 64 * 64
    assert sizes.model_width * sizes.model_height <= 64 * 64 < free.model_width * free.model_height
    limit_pixels(policy.processor, limits["min_pixels"], None)
    assert pixel_limits(policy.processor) == limits
