"""Lightning callbacks of every stage: checkpoints, Ctrl-C, the progress line, rollout images."""

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
from groundrl.report.tensorboard import log_image
from groundrl.stages.base import Stage


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
        self.interrupted = False
        """Ctrl-C was pressed in this process."""
        self.stopping = False
        """Ctrl-C was pressed in any process: this step is the last one."""

    @contextmanager
    def catch_interrupts(self) -> Iterator[None]:
        """Handle Ctrl-C inside the block; raises Interrupted at its end if it was pressed."""
        previous = signal.signal(signal.SIGINT, self._stop)
        try:
            yield
        except StopAtOnce:
            raise Interrupted(f"stopped at once; {self._saved_note()}") from None
        finally:
            signal.signal(signal.SIGINT, previous)
        if self.interrupted or self.stopping:
            raise Interrupted(f"interrupted; {self._saved_note()}")

    def on_train_batch_end(
        self,
        trainer: L.Trainer,
        pl_module: L.LightningModule,
        outputs: object,
        batch: object,
        batch_idx: int,
    ) -> None:
        """Save every ``every`` steps, after the last one and after Ctrl-C."""
        done = batch_idx + 1
        # Ctrl-C may reach the processes in different steps.
        self.stopping = trainer.strategy.reduce_boolean_decision(self.interrupted, all=False)
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
            before = (
                "the one before it is kept" if self.path.exists() else "none was written before"
            )
            raise UserError(
                f"no space left on the disk while writing the checkpoint {self.path}; {before}. "
                "Free some space and start again with resume=<run directory>."
            ) from error

    def _saved_note(self) -> str:
        return f"saved in {self.path}" if self.path.exists() else "no step was saved yet"

    def _stop(self, number: int, frame: FrameType | None) -> None:
        if self.interrupted:
            raise StopAtOnce
        self.interrupted = True
        # Not print or logging: the signal may interrupt another write to the same stream.
        if is_first():
            os.write(2, b"\nstopping after this step (Ctrl-C again: at once, without saving)\n")


class DirectCheckpointIO(TorchCheckpointIO):
    """Writes a checkpoint directly to its path. Lightning's own class writes it to the folder of
    temporary files first, which may be small and on another disk."""

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | Path, storage_options: object = None
    ) -> None:
        """Raises OSError when the disk is full."""
        with open(path, "wb") as file:
            torch.save(checkpoint, file)


class Progress(L.Callback):
    """Shows the stage's figures on a progress line."""

    def __init__(self, name: str, steps: int) -> None:
        self.name = name
        self.steps = steps
        self.line: ProgressLine | None = None

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Start the clock; a resumed stage starts at its step."""
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
        self.line.update(batch_idx + 1, pl_module.progress_figures())

    def on_train_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """End the line."""
        self._close()

    def on_exception(
        self, trainer: L.Trainer, pl_module: L.LightningModule, exception: BaseException
    ) -> None:
        """End the line, so that the error message starts on the next one."""
        self._close()

    def _close(self) -> None:
        if self.line is not None:
            self.line.close()


class RolloutImages(L.Callback):
    """Writes a stage's rollout image to TensorBoard every ``every`` steps, from the first on."""

    def __init__(self, every: int) -> None:
        self.every = every

    def on_train_batch_end(
        self,
        trainer: L.Trainer,
        pl_module: L.LightningModule,
        outputs: object,
        batch: object,
        batch_idx: int,
    ) -> None:
        """The image, and the seconds that it took."""
        if batch_idx % self.every or not is_first():
            return
        assert isinstance(pl_module, Stage)
        start = time.perf_counter()
        image = pl_module.rollout_image()
        if image is None:
            return
        assert isinstance(trainer.logger, TensorBoardLogger)
        writer = trainer.logger.experiment
        log_image(writer, "rollouts", image, batch_idx + 1)
        writer.add_scalar("time/logging", time.perf_counter() - start, batch_idx + 1)
