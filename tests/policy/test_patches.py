"""The patch embedding as a matrix product."""

import copy

import torch
from torch import nn

from groundrl.policy.patches import PatchProjection, project_patches


def test_patches_are_projected_as_the_convolution_projects_them() -> None:
    convolution = nn.Conv3d(3, 8, kernel_size=(2, 4, 4), stride=(2, 4, 4))
    model = nn.Sequential(copy.deepcopy(convolution))
    project_patches(model)
    assert isinstance(model[0], PatchProjection)
    patches = torch.randn(5, 3, 2, 4, 4)
    expected, got = convolution(patches), model(patches)
    torch.testing.assert_close(got, expected)
    expected.square().sum().backward()
    got.square().sum().backward()
    torch.testing.assert_close(model[0].weight.grad, convolution.weight.grad)
    torch.testing.assert_close(model[0].bias.grad, convolution.bias.grad)


def test_a_convolution_over_more_than_a_patch_stays_one() -> None:
    convolution = nn.Conv3d(3, 8, kernel_size=(2, 4, 4), stride=(2, 4, 4))
    model = nn.Sequential(copy.deepcopy(convolution))
    project_patches(model)
    video = torch.randn(2, 3, 4, 8, 8)
    torch.testing.assert_close(model(video), convolution(video))
