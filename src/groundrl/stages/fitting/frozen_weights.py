"""Checks that no frozen weight changes: the base with its vision tower, and the reference."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import lightning as L

from groundrl.errors import UserError
from groundrl.files import read_json, write_json
from groundrl.running.parallel import from_first, is_first
from groundrl.stages.base import Stage

BASE = "checkpoints/base_weights.json"
"""In a run directory: the fingerprint of the base that its stages are trained on."""
CHECKPOINT_KEY = "fixed_weights"
"""In a checkpoint: name -> fingerprint of the frozen weights."""


class FrozenWeightsCheck(L.Callback):
    """Stops the run when a frozen weight changes: what was trained on it would be worthless.

    A stage must start with the base of the stage before, and continue with the frozen weights of
    its checkpoint. They are compared again before each checkpoint is written, also the last one and
    that of Ctrl-C.
    """

    def __init__(self, run_dir: Path) -> None:
        self.path = run_dir / BASE
        self._in_checkpoint: Mapping[str, int] = {}
        self._at_start: Mapping[str, int] = {}

    def on_load_checkpoint(
        self, trainer: L.Trainer, pl_module: L.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Remember the fingerprints; they are compared later, after the trainer's conversions."""
        self._in_checkpoint = checkpoint[CHECKPOINT_KEY]

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Raises UserError for other weights than those of the checkpoint or the stage before."""
        assert isinstance(pl_module, Stage)
        self._at_start = pl_module.policy.fixed_weights()
        before = from_first(lambda: read_json(self.path) if self.path.exists() else {})
        changed = changed_weights(self._in_checkpoint, self._at_start)
        changed = changed or changed_weights(before, self._at_start)
        if changed:
            raise UserError(
                f"the {changed} weights are not those that {self.path.parent} was trained with: "
                "put back what model.path held then, or start a new run (with another cache_dir=, "
                "if its warm-up came from there)"
            )
        if not before and is_first():
            write_json(self.path, {"base": self._at_start["base"]})

    def on_save_checkpoint(
        self, trainer: L.Trainer, pl_module: L.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Raises RuntimeError when the weights are not those of the start."""
        assert isinstance(pl_module, Stage)
        changed = changed_weights(self._at_start, pl_module.policy.fixed_weights())
        if changed:
            raise RuntimeError(
                f"{changed} weights changed since the last checkpoint, though they must not; what "
                "is saved is from before"
            )
        checkpoint[CHECKPOINT_KEY] = dict(self._at_start)


def changed_weights(before: Mapping[str, int], now: Mapping[str, int]) -> str:
    """Names of the weights whose fingerprint differs: "base and reference"; empty if none does."""
    return " and ".join(name for name, value in before.items() if now.get(name) != value)
