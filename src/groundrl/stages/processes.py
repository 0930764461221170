"""Starts the processes of a run, one per device, and connects them."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from lightning.pytorch.strategies.launchers.subprocess_script import _SubprocessScriptLauncher
from torch import distributed

from groundrl.policy.policy import Policy
from groundrl.running.lifeline import lifeline
from groundrl.running.parallel import all_gather, rank, world_size
from groundrl.stages.fit import MakeTrainer, on_trainer_device


@contextmanager
def connected(make_trainer: MakeTrainer, advice: str = "") -> Iterator[None]:
    """Inside, the processes of all devices run this program, connected; torchrun or Slurm may have
    started them.

    Where one of them dies, all end with one message; ``advice``, its last words, says how to go on.
    """
    trainer = make_trainer(logger=False, enable_checkpointing=False, enable_progress_bar=False)
    launcher = trainer.strategy.launcher
    if launcher is None or distributed.is_initialized():
        yield
        return
    try:
        launcher.launch(trainer.strategy.setup_environment)
        with lifeline(rank(), world_size(), all_gather, advice):
            yield
    except BaseException:
        if isinstance(launcher, _SubprocessScriptLauncher):
            launcher.kill(signal.SIGKILL)  # or they would wait for this process forever
        raise


@contextmanager
def open_policy(load: Callable[[], Policy], make_trainer: MakeTrainer) -> Iterator[Policy]:
    """Inside, the loaded policy is on the trainer's device, and the processes of its other devices
    run beside this one."""
    with connected(make_trainer):
        policy = load()
        with on_trainer_device(policy, make_trainer):
            yield policy
