"""Short runs of the real stages on a tiny policy, for the tests of this folder."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import ClassVar, Literal

import lightning as L
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from world_questions import world_samples

from groundrl.advantages import Advantage
from groundrl.answers.attempt import Attempt
from groundrl.boxes import Frame
from groundrl.data.curriculum import AS_THEY_COME, Curriculum
from groundrl.data.datasets import SampleList
from groundrl.data.module import GroundingDataModule
from groundrl.grammar import get_grammar
from groundrl.launch.logs import silence_libraries
from groundrl.losses import PolicyLoss
from groundrl.policy.policy import Policy
from groundrl.records import Sample
from groundrl.rewards.base import BatchedTerm, RewardSum, RewardTerm
from groundrl.rollout.base import RolloutEngine, Sampling
from groundrl.rollout.native import NativeEngine
from groundrl.rollout.sampler import Sampler
from groundrl.stages.base import Stage
from groundrl.stages.fit import StagePlan, fit
from groundrl.stages.fitting.optimization import Optimization
from groundrl.stages.grpo import GRPOModule
from groundrl.stages.sft import SFTModule

MakePolicy = Callable[..., Policy]


@dataclass(frozen=True)
class LowTokens:
    """Share of tokens in the lower half of the vocabulary: something a policy can learn fast."""

    needs: ClassVar[frozenset[str]] = frozenset()
    weight: float = 1.0

    def __call__(self, attempt: Attempt) -> float:
        tokens = attempt.completion.tokens
        return sum(token < 200 for token in tokens) / len(tokens)


def sft_module(
    policy: Policy,
    lr: float = 3e-3,
    steps: int = 4,
    optimizer: Literal["adamw", "muon"] = "adamw",
    **options: int,
) -> SFTModule:
    optimization = Optimization(lr=lr, steps=steps, warmup=2, optimizer=optimizer)
    return SFTModule(policy, get_grammar("obj_bbox"), optimization, **options)


def grpo_module(
    policy: Policy,
    term: RewardTerm | BatchedTerm | None = None,
    lr: float = 3e-3,
    steps: int = 4,
    group_size: int = 4,
    max_tokens: int = 8,
    loss: PolicyLoss | None = None,
    engine: RolloutEngine | None = None,
    curriculum: Curriculum = AS_THEY_COME,
    **options: int,
) -> GRPOModule:
    return GRPOModule(
        policy=policy,
        engine=engine or NativeEngine(),
        sampler=partial(Sampler, sampling=Sampling(max_tokens=max_tokens), group_size=group_size),
        reward=RewardSum(
            terms={"toy": term or LowTokens()},
            grammar=get_grammar("obj_bbox"),
            frame=Frame.PERMILLE,
        ),
        advantage=Advantage(),
        loss=loss or PolicyLoss(),
        optimization=Optimization(lr=lr, steps=steps, warmup=2),
        curriculum=curriculum,
        **options,
    )


def train(
    module: Stage,
    run_dir: Path,
    steps: int = 4,
    prompts_per_step: int = 3,
    samples: Sequence[Sample] | None = None,
    checkpoint_seconds: float = 0.0,
    num_workers: int = 0,
    name: str = "stage",
) -> None:
    """``steps`` steps as ``train.py`` takes them, from the checkpoint in ``run_dir`` if any."""
    silence_libraries()
    data = GroundingDataModule(
        train=SampleList(tuple(samples or world_samples(8))),
        prompts_per_step=prompts_per_step,
        seed=1,
        num_workers=num_workers,
        encode=module.policy.encode,
        prefetches=module.prefetches,
        kind_order=module.kind_order,
    )
    plan = StagePlan(
        module=type(module),
        steps=steps,
        prompts_per_step=prompts_per_step,
        checkpoint_seconds=checkpoint_seconds,
    )
    fit(name, module, data, plan, partial(L.Trainer, accelerator="cpu", devices=1), run_dir)


def weights(module: torch.nn.Module, learning: bool = True) -> dict[str, torch.Tensor]:
    """Copies of the weights that learn, or of those that must not."""
    return {
        name: parameter.detach().clone()
        for name, parameter in module.named_parameters()
        if parameter.requires_grad == learning
    }


def logged(run_dir: Path, name: str = "stage") -> dict[str, dict[int, float]]:
    """Every curve that does not measure time: ``{metric: {step: value}}``."""
    events = EventAccumulator(str(run_dir / "tensorboard" / name))
    events.Reload()
    return {
        tag: {event.step: event.value for event in events.Scalars(tag)}
        for tag in events.Tags()["scalars"]
        if not tag.startswith("time/") and tag != "tokens/per_second"
    }
