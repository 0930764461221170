"""Muon (Jordan et al. 2024, https://kellerjordan.github.io/posts/muon) for the weight matrices
inside a network, beside AdamW for all other weights."""

from collections.abc import Callable, Sequence

import torch
from torch import nn

BETAS = (0.9, 0.95)
"""Of AdamW."""


def is_inner_matrix(name: str, weight: nn.Parameter) -> bool:
    """Whether Muon suits a weight: a matrix, but no embedding and no output head, whose rows belong
    to single tokens."""
    return weight.ndim == 2 and "embed" not in name and "head" not in name


def muon_and_adamw(
    groups: Sequence[dict[str, nn.Parameter]], weight_decay: float
) -> list[torch.optim.Optimizer]:
    """Muon and AdamW over parameter groups, given by the names of their weights; an optimizer
    without weights is left out. Learning rates are set before each step.

    An update of Muon has the root mean square of one of AdamW (arXiv 2502.16982), so that one
    learning rate suits both.
    """
    makers: dict[bool, Callable[..., torch.optim.Optimizer]] = {
        True: lambda groups: torch.optim.Muon(
            groups, lr=1.0, weight_decay=weight_decay, adjust_lr_fn="match_rms_adamw"
        ),
        False: lambda groups: torch.optim.AdamW(
            groups, lr=1.0, betas=BETAS, weight_decay=weight_decay
        ),
    }
    optimizers = []
    for inner, make in makers.items():
        chosen = [
            [weight for name, weight in group.items() if is_inner_matrix(name, weight) is inner]
            for group in groups
        ]
        if any(chosen):
            optimizers.append(make([{"params": weights} for weights in chosen]))
    return optimizers
