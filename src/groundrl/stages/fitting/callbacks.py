"""Lightning callbacks of every stage: the progress line and rollout images."""

import time

import lightning as L
from lightning.pytorch.loggers import TensorBoardLogger

from groundrl.report.tensorboard import log_image
from groundrl.running.parallel import is_first
from groundrl.running.progress import ProgressLine
from groundrl.stages.base import Stage


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
