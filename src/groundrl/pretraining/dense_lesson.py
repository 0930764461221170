"""The lesson of the vision tower: each image token predicts the object centred in its cell."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from groundrl.boxes import Frame, convert
from groundrl.policy.prompt import Prompt
from groundrl.world.graph import Scene
from groundrl.world.vocabulary import CLASSES, COLORS

COLOR_NAMES = list(COLORS)
CORNER_SCALE = 0.02
"""Share of the image's side below which a corner's error counts squared."""
CORNER_WEIGHT = 15.0
"""A corner 2 % off costs as much as the other parts once they are learned."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DenseTargets:
    """The targets of the image tokens in whose cell an object is centred."""

    cell: Int[Tensor, "objects"]
    """Index of the image token, counted over all images."""
    category: Int[Tensor, "objects"]
    color: Int[Tensor, "objects"]
    center: Float[Tensor, "objects 2"]
    """Of the cell, (x, y) in the UNIT frame."""
    box: Float[Tensor, "objects 4"]
    """Corners in the UNIT frame."""


def dense_targets(
    scenes: list[Scene], prompts: list[Prompt], device: torch.device, merge: int = 2
) -> DenseTargets:
    """Targets for each cell with a centre; of several objects the nearest one is the target."""
    rows: dict[int, tuple[int, int, tuple[float, float], tuple[float, ...]]] = {}
    offset = 0
    for scene, prompt in zip(scenes, prompts, strict=True):
        _, *patches = prompt.images[0].pixels["image_grid_thw"][0].tolist()
        height, width = (count // merge for count in patches)
        for thing in scene.objects:  # near to far
            box = convert(thing.box, Frame.UNIT, prompt.sizes)
            x, y = box.center
            row, column = int(y * height), int(x * width)
            center = ((column + 0.5) / width, (row + 0.5) / height)
            category, color = CLASSES.index(thing.category), COLOR_NAMES.index(thing.color)
            cell = offset + row * width + column
            rows.setdefault(cell, (category, color, center, box.corners))
        offset += height * width
    return DenseTargets(
        cell=torch.tensor(list(rows), device=device),
        category=torch.tensor([row[0] for row in rows.values()], device=device),
        color=torch.tensor([row[1] for row in rows.values()], device=device),
        center=torch.tensor([row[2] for row in rows.values()], device=device),
        box=torch.tensor([row[3] for row in rows.values()], device=device),
    )


class DenseHead(nn.Module):
    """One linear layer on image tokens: objectness, class, colour, the centre of the cell, and the
    corners of the box relative to that centre.

    Corners relative to the image's edge are learned more slowly: after 300 steps they are off by
    4.4 % of the side instead of 3.4 %.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.sizes = [1, len(CLASSES), len(COLOR_NAMES), 2, 4]
        self.linear = nn.Linear(width, sum(self.sizes))

    def forward(
        self, tokens: Float[Tensor, "tokens width"], targets: DenseTargets
    ) -> dict[str, Tensor]:
        """Loss, shares of right classes and colours, mean corner error (UNIT frame)."""
        objectness, *parts = self.linear(tokens).float().split(self.sizes, dim=-1)
        there = torch.zeros_like(objectness[:, 0]).index_fill(0, targets.cell, 1.0)
        category, color, center, corners = (part[targets.cell] for part in parts)
        # Both are learned: the language model writes coordinates relative to the image's edge.
        offsets = targets.box - targets.center.repeat(1, 2)
        loss = (
            F.binary_cross_entropy_with_logits(objectness[:, 0], there)
            + F.cross_entropy(category, targets.category)
            + F.cross_entropy(color, targets.color)
            + CORNER_WEIGHT * F.smooth_l1_loss(center, targets.center, beta=CORNER_SCALE)
            + CORNER_WEIGHT * F.smooth_l1_loss(corners, offsets, beta=CORNER_SCALE)
        )
        return {
            "loss": loss,
            "class": (category.argmax(-1) == targets.category).float().mean(),
            "color": (color.argmax(-1) == targets.color).float().mean(),
            "corner_error": (corners.detach() - offsets).abs().mean(),
        }
