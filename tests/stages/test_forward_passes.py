"""No forward pass is made whose result is not used: passes are counted."""

from collections.abc import Generator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
from stage_runs import MakePolicy, grpo_module, train

from groundrl.answers.attempt import Attempt
from groundrl.losses import PolicyLoss
from groundrl.policy.policy import Policy
from groundrl.rollout.base import RolloutEngine, SampledTokens


@dataclass
class Elsewhere(RolloutEngine):
    """An engine that computes nothing here; every answer has a length of its own."""

    def generate(
        self, policy: Any, prompts: Any, features: Any, seeds: Any, sampling: Any
    ) -> Generator[tuple[int, list[SampledTokens]]]:
        for index in range(len(prompts)):
            sizes = range(index + 2, index + 6)
            yield (
                index,
                [
                    SampledTokens(tokens=(40,) * n, logprobs=(-6.0,) * n, truncated=True)
                    for n in sizes
                ],
            )


@dataclass
class OneWinner:
    """Tells the completions of one group in a step of three apart."""

    needs: ClassVar[frozenset[str]] = frozenset()
    weight: float = 1.0
    winners: int = 1
    seen: list[int] = field(default_factory=list)

    def __call__(self, attempt: Attempt) -> float:
        self.seen.append(0)
        group = (len(self.seen) - 1) // 4 % 3
        return float(len(self.seen) % 2) if group < self.winners else 1.0


def passes(policy: Policy) -> list[str]:
    """Grows with every pass through language model and tower."""
    seen: list[str] = []

    def language(*_: object) -> None:
        reference = policy.model.active_adapter == "reference"
        learns = "update" if torch.is_grad_enabled() else "old"
        seen.append("reference" if reference else learns)

    def tower(_: object, arguments: tuple[Any, ...]) -> None:
        seen.append(f"tower {len(arguments[0])}")

    policy.vlm.get_decoder().register_forward_pre_hook(language)
    policy.vlm.model.visual.register_forward_pre_hook(tower)
    return seen


ALL = "tower 300"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kl_coef", "options", "expected"),
    [
        (0.0, {}, [ALL, "update"]),
        (0.1, {}, [ALL, "reference", "update"]),
        (0.0, {"num_epochs": 2}, [ALL, "old", "update", "update"]),
        (0.1, {"num_minibatches": 3}, [ALL, *["old", "reference"] * 3, *["update"] * 3]),
    ],
)
def test_old_and_reference_passes_are_made_only_where_the_loss_reads_them(
    make_policy: MakePolicy,
    tmp_path: Path,
    kl_coef: float,
    options: dict[str, Any],
    expected: list[str],
) -> None:
    policy, loss = make_policy(), PolicyLoss(kl_coef=kl_coef)
    module = grpo_module(policy, OneWinner(winners=3), loss=loss, engine=Elsewhere(), **options)
    seen = passes(policy)
    train(module, tmp_path, steps=1)
    assert seen == expected


@pytest.mark.slow
@pytest.mark.parametrize(
    ("winners", "expected"), [(0, []), (1, ["tower 100", "reference", "update"])]
)
def test_groups_without_a_winner_are_dropped_before_any_pass(
    make_policy: MakePolicy, tmp_path: Path, winners: int, expected: list[str]
) -> None:
    policy, loss = make_policy(), PolicyLoss(kl_coef=0.1)
    module = grpo_module(policy, OneWinner(winners=winners), loss=loss, engine=Elsewhere())
    seen, rows = passes(policy), []
    policy.vlm.get_decoder().register_forward_pre_hook(
        lambda _, __, options: rows.append(len(options["inputs_embeds"])), with_kwargs=True
    )
    train(module, tmp_path, steps=1)
    assert seen == expected
    assert set(rows) <= {1}
