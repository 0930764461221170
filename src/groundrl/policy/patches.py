"""The patch embedding of a vision tower, as the matrix product that it is."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class PatchProjection(nn.Conv3d):
    """A convolution whose input is single patches of its own size.

    Its backward pass on a CPU takes 100 times as long as that of the matrix product: more than the
    rest of a small tower.
    """

    def forward(self, input: Tensor) -> Tensor:
        """[patches, channels, time, height, width] -> [patches, width, 1, 1, 1]."""
        if input.shape[2:] != torch.Size(self.kernel_size):
            return super().forward(input)
        projected = F.linear(input.flatten(1), self.weight.flatten(1), self.bias)
        return projected[:, :, None, None, None]


def project_patches(vlm: nn.Module) -> None:
    """Let every 3-D convolution over patches of ``vlm`` be a PatchProjection; weights stay."""
    for module in vlm.modules():
        if type(module) is nn.Conv3d:
            module.__class__ = PatchProjection
