"""The faster tower computes what the plain one does."""

import copy
from typing import Any

import pytest
import torch
from PIL import Image
from torch import nn
from transformers import PreTrainedTokenizerFast

from groundrl.policy.adapters.tower import PatchProjection, speed_up_tower
from groundrl.pretraining.architecture import build_model, build_processor

Size = tuple[int, int]


def gradients(model: nn.Module) -> dict[str, torch.Tensor]:
    return {name: p.grad for name, p in model.named_parameters() if p.grad is not None}


@pytest.mark.parametrize("sizes", [[(96, 64)] * 3, [(96, 64), (64, 64), (128, 96)]])
def test_features_and_gradients_are_those_of_transformers(
    tokenizer: PreTrainedTokenizerFast, sizes: list[Size]
) -> None:
    torch.manual_seed(0)
    plain = build_model(tokenizer, width=64, layers=2)
    fast = copy.deepcopy(plain)
    speed_up_tower(fast)
    assert isinstance(fast.model.visual.patch_embed.proj, PatchProjection)
    noise = [Image.effect_noise(size, 80.0).convert("RGB") for size in sizes]
    images = build_processor(tokenizer).image_processor(noise, return_tensors="pt")
    for model in (plain, fast):
        output: Any = model.model.get_image_features(
            images["pixel_values"], images["image_grid_thw"]
        )
        torch.cat(output.pooler_output).square().sum().backward()
    expected = gradients(plain)
    assert expected
    for name, gradient in gradients(fast).items():
        scale = expected[name].abs().max().item()
        torch.testing.assert_close(gradient, expected[name], atol=1e-4 * scale, rtol=1e-3)


def test_a_convolution_over_more_than_a_patch_stays_one() -> None:
    convolution = nn.Conv3d(3, 8, kernel_size=(2, 4, 4), stride=(2, 4, 4))
    fast = copy.deepcopy(convolution)
    fast.__class__ = PatchProjection
    video = torch.randn(2, 3, 4, 8, 8)
    torch.testing.assert_close(fast(video), convolution(video))
