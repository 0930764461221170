"""Short runs of real stages in one process, or in two that share the steps."""

import os
import socket
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal, cast

import lightning as L
import torch
from float64 import float64
from labelled_world import labelled_captions
from stage_runs import grpo_module, sft_module, weights
from tiny_policies import tiny_policy, tiny_tokenizer
from torch import nn
from world_questions import world_samples

from groundrl.data.datasets import SampleList
from groundrl.data.module import GroundingDataModule
from groundrl.feedback.captions import CaptionList, group_captions, rate_captions
from groundrl.feedback.labels import SentenceError
from groundrl.launch.logs import silence_libraries
from groundrl.losses import PolicyLoss
from groundrl.policy.sharding import ShardedLayers
from groundrl.running.parallel import own_part
from groundrl.stages.base import Stage
from groundrl.stages.fit import StagePlan, fit
from groundrl.stages.fitting.optimization import Optimization
from groundrl.stages.fitting.strategy import LIGHTNING_STRATEGIES
from groundrl.stages.reward_model import RewardModelModule
from groundrl.stages.reward_model_run import EncodeGroup

STEPS = 3
PROMPTS = 4


class PowerCut(Exception):
    """Nobody catches it."""


@dataclass(frozen=True)
class Run:
    """A stage of three steps, each with four prompts."""

    stage: Literal["sft", "grpo", "reward_model"]
    adapter: Literal["lora", "none", "soft_prompt"]
    strategy: Literal["one", "ddp", "fsdp"]
    checkpointing: bool = False
    """Layers are computed again; in single precision, as ``float64`` does not reach them then."""
    cut: bool = False
    """The power fails in the last step; the stage goes on from its checkpoint."""

    @property
    def name(self) -> str:
        """Of its folder, and of its weights."""
        return "_".join(str(value) for value in vars(self).values())

    def precision(self) -> AbstractContextManager[None]:
        """Inside, numbers are those of the run."""
        return nullcontext() if self.checkpointing else float64()


def captions() -> CaptionList:
    """Of several scenes, some with a wrong colour."""
    return group_captions(
        rate_captions(labelled_captions(8, [SentenceError.ATTRIBUTE], per_scene=2))
    )


def make_stage(run: Run) -> Stage:
    """Forward passes are small, so that the processes make different numbers of them."""
    policy = tiny_policy(tiny_tokenizer(), run.adapter, gradient_checkpointing=run.checkpointing)
    torch.manual_seed(0)
    if run.stage == "sft":
        return sft_module(policy, steps=STEPS, tokens_per_forward=300)
    if run.stage == "reward_model":
        optimization = Optimization(lr=3e-3, steps=STEPS, warmup=2)
        return RewardModelModule(policy, captions(), optimization, tokens_per_forward=300)
    return grpo_module(
        policy,
        steps=STEPS,
        loss=PolicyLoss(kl_coef=0.1),
        num_minibatches=2,
        tokens_per_forward=300,
    )


class CutInLastStep(Stage):
    """A stage that never comes to its last step."""

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        """The power fails."""
        if batch_idx + 1 == STEPS:
            raise PowerCut
        super().on_train_batch_start(batch, batch_idx)


def train(run: Run, folder: Path) -> dict[str, torch.Tensor]:
    """The weights after the run, in double precision: sums hardly depend on their order."""
    silence_libraries()
    with run.precision():
        if run.cut:
            cut = make_stage(run)
            cut.__class__ = type("Cut", (CutInLastStep, type(cut)), {})
            with suppress(PowerCut):
                fit_stage(cut, run, folder)
        stage = make_stage(run)
        fit_stage(stage, run, folder)
    return weights(stage)


def fit_stage(stage: Stage, run: Run, folder: Path) -> None:
    """All steps, or those that are left."""
    encode = stage.policy.encode
    data = GroundingDataModule(
        train=captions() if run.stage == "reward_model" else SampleList(tuple(world_samples(8))),
        prompts_per_step=PROMPTS,
        seed=1,
        encode=EncodeGroup(encode) if run.stage == "reward_model" else encode,
    )
    plan = StagePlan(
        module=type(stage), steps=STEPS, prompts_per_step=PROMPTS, checkpoint_seconds=0.0
    )
    make_trainer = partial(
        L.Trainer,
        accelerator="cpu",
        precision="32-true",  # or Lightning would try to convert the samples
        devices=1 if run.strategy == "one" else 2,
        strategy="auto" if run.strategy == "one" else LIGHTNING_STRATEGIES[run.strategy],
    )
    fit("stage", stage, data, plan, make_trainer, folder / run.name)


def work(rank: int, port: int, folder: str, runs: Sequence[Run]) -> None:
    """One of two processes."""
    torch.set_num_threads(1)
    os.environ |= {
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        "LOCAL_RANK": str(rank),
        "NODE_RANK": "0",
    }
    for run in runs:
        found = train(run, Path(folder))
        torch.save(found, Path(folder) / f"{run.name}_{rank}.pt")
    torch.save(held_weights(), Path(folder) / f"held_{rank}.pt")
    torch.distributed.destroy_process_group()


def held_weights() -> dict[str, int]:
    """How many weights this process holds before layers are split, then, and inside ``whole``."""
    policy = tiny_policy(tiny_tokenizer(), "none")
    found = {"before": 0, "split": 0, "whole": 0}
    split = cast(nn.ModuleList, policy.vlm.get_decoder().layers)
    found["before"] = sum(weight.numel() for weight in split.parameters())
    layers = ShardedLayers(policy.vlm, "cpu")
    found["split"] = sum(own_part(weight).numel() for weight in split.parameters())
    with layers.whole():
        found["whole"] = sum(weight.numel() for weight in split.parameters())
    return found


def free_port() -> int:
    """One that is free."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]
