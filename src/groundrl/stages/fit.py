"""Runs one stage with Lightning: checkpoints, resume, TensorBoard and the progress line."""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Protocol, TypeVar, runtime_checkable

import lightning as L
from lightning.fabric.plugins.environments.slurm import SLURMEnvironment
from lightning.pytorch.loggers import TensorBoardLogger
from torch import nn

from groundrl.config_node import ConfigNode, too_small
from groundrl.data.datasets import SampleSource
from groundrl.data.module import GroundingDataModule
from groundrl.policy.policy import Policy
from groundrl.stages.base import Stage
from groundrl.stages.fitting.callbacks import Progress, RolloutImages
from groundrl.stages.fitting.checkpoint_file import PlainCheckpointIO
from groundrl.stages.fitting.checkpoints import Checkpoints
from groundrl.stages.fitting.frozen_weights import FrozenWeightsCheck

T = TypeVar("T")

EVENT_SECONDS = 10
"""After which TensorBoard's events are on the disk, for those who watch the run."""

MakeTrainer = Callable[..., L.Trainer]
"""A partial ``lightning.Trainer``: accelerator, precision, devices."""


@runtime_checkable
class Build(Protocol):
    """Makes a part of a stage, with what the run has of its arguments: policy, grammar, reward,
    engine."""

    def __call__(self, make: Callable[..., T], /) -> T: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class StageRun:
    """What a stage is run with."""

    policy: Policy
    train: SampleSource
    seed: int
    """Of the order of the samples."""
    num_workers: int
    build: Build
    make_trainer: MakeTrainer
    run_dir: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class StagePlan:
    """A stage of the pipeline, not yet built."""

    module: Callable[..., Stage]
    """The module's constructor; see ``Build``."""
    steps: int
    prompts_per_step: int
    checkpoint_seconds: float = 120.0
    """Between two checkpoints, or longer, so that saving takes 1 % of the time at most; 0 saves
    after every step. Changes no result."""
    by_image: bool = False
    """Questions about one image follow each other, so that a step computes its features once."""
    image_every: int = 10
    """Steps between two images of rollouts; without effect on a stage that draws none."""
    resource_options: ClassVar[frozenset[str]] = frozenset({"checkpoint_seconds"})

    @classmethod
    def config_problems(cls, node: ConfigNode) -> Iterator[str]:
        """A stage may have no steps, but a step has a prompt."""
        yield from too_small(
            node, {"steps": 0, "prompts_per_step": 1, "checkpoint_seconds": 0, "image_every": 1}
        )

    def train(self, name: str, run: StageRun) -> None:
        """Train the policy; a stage that was interrupted goes on."""
        module = run.build(self.module)
        data = GroundingDataModule(
            train=run.train,
            prompts_per_step=self.prompts_per_step,
            seed=run.seed,
            num_workers=run.num_workers,
            encode=run.policy.encode,
            prefetches=module.prefetches,
            kind_order=module.kind_order,
            by_image=self.by_image,
        )
        fit(name, module, data, self, run.make_trainer, run.run_dir)


@contextmanager
def on_trainer_device(module: nn.Module, make_trainer: MakeTrainer) -> Iterator[None]:
    """Inside, ``module`` is on the trainer's device, at the trainer's precision.

    Lightning moves a module for a fit only, and back to the CPU afterwards.
    """
    trainer = make_trainer(logger=False, enable_checkpointing=False, enable_progress_bar=False)
    module.to(trainer.strategy.root_device)
    with trainer.precision_plugin.forward_context():
        yield
    module.cpu()


def fit(
    name: str,
    module: Stage,
    data: L.LightningDataModule,
    plan: StagePlan,
    make_trainer: MakeTrainer,
    run_dir: Path,
) -> None:
    """Train ``module`` for ``plan.steps`` steps in all, from its checkpoint if there is one.

    Raises Stopped after a signal that asks the run to stop, once the state is saved.
    """
    folder = run_dir / "checkpoints" / name
    checkpoints = Checkpoints(folder, plan.checkpoint_seconds)
    module.take_name(name)
    trainer = make_trainer(
        max_epochs=1,
        limit_train_batches=plan.steps,
        log_every_n_steps=1,
        logger=TensorBoardLogger(
            run_dir, name="tensorboard", version="", sub_dir=name, flush_secs=EVENT_SECONDS
        ),
        callbacks=[
            RolloutImages(plan.image_every),
            Progress(name, plan.steps),
            FrozenWeightsCheck(run_dir),
            checkpoints,
        ],
        plugins=[PlainCheckpointIO(), *cluster()],
        # On Slurm, Lightning goes on from any hpc_ckpt_*.ckpt that it finds there.
        default_root_dir=folder,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    # No layer behaves differently in training mode; Lightning would warn of a mix of modes.
    module.train()
    with checkpoints.catch_signals(), closing(module):
        trainer.fit(module, data, ckpt_path=checkpoints.find())


def cluster() -> list[SLURMEnvironment]:
    """On Slurm, Lightning's environment without its own checkpoints and requeueing."""
    return [SLURMEnvironment(auto_requeue=False)] if SLURMEnvironment.detect() else []
