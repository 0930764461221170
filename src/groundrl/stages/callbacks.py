"""What happens around the steps of a stage: checkpoints, interruption, the progress line."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from types import FrameType
from typing import Any

import lightning as L
import torch
from lightning.pytorch.loggers import TensorBoardLogger
from lightning.pytorch.plugins.io import TorchCheckpointIO

from groundrl.errors import UserError, is_disk_full
from groundrl.files import replace_file
from groundrl.parallel import is_first
from groundrl.progress import ProgressLine
from groundrl.report.rollouts import rollout_sheet
from groundrl.report.tensorboard import log_image
from groundrl.stages.base import Stage
from groundrl.stages.grpo import GRPOModule


class Interrupted(KeyboardInterrupt):
    """Ctrl-C while a stage was training; the message says what is saved."""


class StopAtOnce(BaseException):
    """The second Ctrl-C. Lightning would turn a KeyboardInterrupt into an exit of its own."""


class Checkpoints(L.Callback):
    """Writes ``last.ckpt`` every ``every`` steps, after the last one and on Ctrl-C, always whole.

    The first Ctrl-C lets the step finish, saves and stops; the second one stops at once.
    """

    def __init__(self, folder: Path, every: int) -> None:
        self.path = folder / "last.ckpt"
        self.every = every
        self.asked = False
        """Ctrl-C was pressed."""
        self.stopping = False
        """This step is the last one."""

    @contextmanager
    def catching_interrupts(self) -> Iterator[None]:
        """Inside, Ctrl-C is ours. Raises Interrupted at the end of the block if it was pressed."""
        previous = signal.signal(signal.SIGINT, self._stop)
        try:
            yield
        except StopAtOnce:
            raise Interrupted(f"stopped at once; {self._saved()}") from None
        finally:
            signal.signal(signal.SIGINT, previous)
        if self.asked or self.stopping:
            raise Interrupted(f"interrupted; {self._saved()}")

    def on_train_batch_end(
        self,
        trainer: L.Trainer,
        pl_module: L.LightningModule,
        outputs: object,
        batch: object,
        batch_idx: int,
    ) -> None:
        """Save when it is time to."""
        done = batch_idx + 1
        # Ctrl-C may reach the processes in different steps.
        self.stopping = trainer.strategy.reduce_boolean_decision(self.asked, all=False)
        if self.stopping or done % self.every == 0 or done == trainer.num_training_batches:
            self.save(trainer)
        # Not an exception: Lightning has yet to write this step's metrics.
        trainer.should_stop = self.stopping

    def save(self, trainer: L.Trainer) -> None:
        """Replace ``last.ckpt`` in one move; raises UserError when the disk is full."""
        # Only the first process writes; the others take part in collecting the weights.
        writing = (
            replace_file(self.path, only_writer=True) if is_first() else nullcontext(self.path)
        )
        try:
            with writing as partial:
                trainer.save_checkpoint(partial, weights_only=False)
        except OSError as error:
            if not is_disk_full(error):
                raise
            kept = "the one before it is kept" if self.path.exists() else "none was written before"
            raise UserError(
                f"no space left on the disk while writing the checkpoint {self.path}; {kept}. "
                "Free some space and start again with resume=<run directory>."
            ) from error

    def _saved(self) -> str:
        return f"saved in {self.path}" if self.path.exists() else "no step was saved yet"

    def _stop(self, number: int, frame: FrameType | None) -> None:
        if self.asked:
            raise StopAtOnce
        self.asked = True
        # Not print: a signal may arrive while somebody else is printing.
        if is_first():
            os.write(2, b"\nstopping after this step (Ctrl-C again: at once, without saving)\n")


class DirectCheckpointIO(TorchCheckpointIO):
    """Writes where it is told to. Lightning takes a detour through the folder of temporary files,
    which may be small and another disk."""

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | Path, storage_options: object = None
    ) -> None:
        """Raises OSError when the disk is full."""
        with open(path, "wb") as file:
            torch.save(checkpoint, file)


class Progress(L.Callback):
    """Feeds the progress line with the stage's logged metrics."""

    def __init__(self, name: str, steps: int) -> None:
        self.name = name
        self.steps = steps
        self.line: ProgressLine | None = None

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """The clock starts here; a resumed stage starts at its step."""
        if not is_first():
            return
        done = trainer.fit_loop.epoch_loop.batch_progress.total.completed
        self.line = ProgressLine(self.steps, self.name, first_step=done)

    def on_train_batch_end(
        self,
        trainer: L.Trainer,
        pl_module: L.LightningModule,
        outputs: object,
        batch: object,
        batch_idx: int,
    ) -> None:
        """Show the step's figures."""
        if self.line is None:
            return
        assert isinstance(pl_module, Stage)
        logged = pl_module.logged
        parts = {
            name.removeprefix("reward/"): value
            for name, value in logged.items()
            if name.startswith("reward/") and name not in ("reward/total", "reward/std")
        }
        self.line.update(
            batch_idx + 1,
            reward=logged.get("reward/total"),
            parts=parts,
            kl=logged.get("policy/kl"),
            loss=logged.get("sft/loss", logged.get("pretrain/loss")),
            tokens_per_second=logged.get("tokens/per_second"),
        )

    def on_train_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Leave the line."""
        self._close()

    def on_exception(
        self, trainer: L.Trainer, pl_module: L.LightningModule, exception: BaseException
    ) -> None:
        """Leave the line to what is printed about the exception."""
        self._close()

    def _close(self) -> None:
        if self.line is not None:
            self.line.close()


class RolloutImages(L.Callback):
    """Draws rollouts into TensorBoard every ``every`` steps, the first step included."""

    def __init__(self, every: int) -> None:
        self.every = every

    def on_train_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, *args: object, **kwargs: object
    ) -> None:
        """Image, true boxes, predicted boxes, reward parts and advantage of some completions."""
        if not isinstance(pl_module, GRPOModule) or pl_module.last is None or not is_first():
            return
        if (pl_module.rollouts_done - 1) % self.every:
            return
        start = time.perf_counter()
        last = pl_module.last
        sheet = rollout_sheet(
            last.rollout.groups,
            last.scores,
            [[a.parsed.groundings for a in group] for group in last.attempts(pl_module.reward)],
            pl_module.last_advantages.tolist(),
        )
        assert isinstance(trainer.logger, TensorBoardLogger)
        writer = trainer.logger.experiment
        log_image(writer, "rollouts", sheet, pl_module.rollouts_done)
        seconds = time.perf_counter() - start
        writer.add_scalar("time/logging", seconds, pl_module.rollouts_done)
