"""When the state of a stage is saved, and which checkpoint a stage goes on from."""

import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Final

import lightning as L
import torch
from lightning.pytorch.utilities.exceptions import SIGTERMException

from groundrl.errors import UserError, is_disk_full
from groundrl.files import replace_file, sync_folder
from groundrl.running.parallel import all_gather, from_first, is_first, own_part
from groundrl.running.stopping import STOP_SIGNALS, Stopped, handle_signals
from groundrl.stages.base import Stage
from groundrl.stages.fitting.checkpoint_file import DamagedCheckpointError, read_checkpoint
from groundrl.stages.fitting.strategy import trainable

logger = logging.getLogger(__name__)

SAVING_SHARE: Final = 0.01
"""Of the time of a stage: a checkpoint that takes long is written less often."""


class StopAtOnce(BaseException):
    """The second signal. Lightning would turn a KeyboardInterrupt into an exit of its own."""


class Checkpoints(L.Callback):
    """Writes ``last.ckpt`` every ``seconds``, after the last step and when a signal asks to stop;
    the one before it becomes ``previous.ckpt``. A checkpoint is always whole.

    The first signal (``STOP_SIGNALS``) lets the step finish, saves and stops; the second one stops
    at once.
    """

    def __init__(self, folder: Path, seconds: float) -> None:
        """``seconds``: 0 saves after every step."""
        self.path = folder / "last.ckpt"
        self.previous = folder / "previous.ckpt"
        self.seconds = seconds
        self.signal: int | None = None
        """The signal that this process got."""
        self.stopping = False
        """A process got a signal: this step is the last one."""
        self._on_sigterm: Callable[[int, FrameType | None], object] | int | None = signal.SIG_DFL
        self._saved_at = time.monotonic()
        self._save_seconds = 0.0

    def find(self) -> Path | None:
        """The newest checkpoint that is not damaged, as the first process sees it; None where there
        is none.

        Raises UserError where all are damaged.
        """
        return from_first(self._find)

    def _find(self) -> Path | None:
        damaged = []
        for path in (self.path, self.previous):
            if not path.exists():
                continue
            try:
                read_checkpoint(path)
            except DamagedCheckpointError as error:
                damaged.append(str(error))
            else:
                if damaged:
                    logger.warning("%s: going on from %s", damaged[0], path)
                return path
        if damaged:
            raise UserError(
                f"no checkpoint can be read: {'; '.join(damaged)}. Restore one of them, or delete "
                f"{self.path.parent} to train this stage from its start."
            )
        return None

    @contextmanager
    def catch_signals(self) -> Iterator[None]:
        """Handle the signals inside the block; raises Stopped at its end if there was one."""
        with handle_signals(STOP_SIGNALS, self._stop):
            self._on_sigterm = signal.getsignal(signal.SIGTERM)
            try:
                yield
            except StopAtOnce:
                raise self._stopped("stopped at once") from None
            except SIGTERMException:  # before the handler was taken back from Lightning
                raise self._stopped("interrupted") from None
        if self.signal is not None or self.stopping:
            raise self._stopped("interrupted")

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Take SIGTERM back from Lightning, which would end the fit as if it were complete."""
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, self._on_sigterm)
        self._saved_at = time.monotonic()

    def on_train_batch_end(
        self,
        trainer: L.Trainer,
        pl_module: L.LightningModule,
        outputs: object,
        batch: object,
        batch_idx: int,
    ) -> None:
        """Save when it is time, after the last step and after a signal."""
        wait = max(self.seconds, self._save_seconds / SAVING_SHARE) if self.seconds else 0.0
        due = time.monotonic() - self._saved_at >= wait
        # Clocks differ between processes, and a signal may reach them in different steps.
        any_process = trainer.strategy.reduce_boolean_decision
        if any_process(due or self.signal is not None, all=False):
            self.stopping = any_process(self.signal is not None, all=False)
            due = True
        if due or batch_idx + 1 == trainer.num_training_batches:
            assert isinstance(pl_module, Stage)
            self.save(trainer, pl_module)
        # Not an exception: Lightning has yet to write this step's metrics.
        trainer.should_stop = self.stopping

    def save(self, trainer: L.Trainer, stage: Stage) -> None:
        """Write a new ``last.ckpt``. Raises UserError when the disk is full, and where a weight is
        not finite; the checkpoints before stay then."""
        start = time.monotonic()
        finite = all(torch.isfinite(own_part(weight)).all() for weight in trainable(stage))
        if not all(all_gather(finite)):
            raise stage.not_finite("a weight is not finite after it")
        try:
            # Only the first process writes; the others take part in collecting the weights.
            if is_first():
                self._write(trainer)
            else:
                trainer.save_checkpoint(self.path, weights_only=False)
        except OSError as error:
            if not is_disk_full(error):
                raise
            before = "the one before it is kept" if self._saved else "none was written before"
            raise UserError(
                f"no space left on the disk while writing the checkpoint {self.path}; {before}. "
                "Free some space and start again with resume=<run directory>."
            ) from error
        self._saved_at = time.monotonic()
        self._save_seconds = self._saved_at - start

    def _write(self, trainer: L.Trainer) -> None:
        with replace_file(self.path, only_writer=True) as partial:
            trainer.save_checkpoint(partial, weights_only=False)
            if self.path.exists():
                self.path.replace(self.previous)
        sync_folder(self.path.parent)

    @property
    def _saved(self) -> Path | None:
        return next((path for path in (self.path, self.previous) if path.exists()), None)

    def _stopped(self, how: str) -> Stopped:
        note = f"saved in {self._saved}" if self._saved else "no step was saved yet"
        return Stopped(f"{how}; {note}", self.signal or signal.SIGINT)

    def _stop(self, number: int, frame: FrameType | None) -> None:
        if self.signal is not None:
            raise StopAtOnce
        self.signal = number
        # Not print or logging: the signal may interrupt another write to the same stream.
        if is_first():
            again = "Ctrl-C again: at once, without saving"
            os.write(2, f"\nstopping after this step ({again})\n".encode())
