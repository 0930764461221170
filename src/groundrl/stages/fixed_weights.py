"""Holds a run to the weights that do not learn: the base with its tower, and the reference."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import lightning as L

from groundrl.errors import UserError
from groundrl.files import write_json
from groundrl.parallel import is_first
from groundrl.stages.base import Stage

BASE = "checkpoints/base_weights.json"
"""In a run directory: the fingerprint of the base that its stages are trained on."""


class FixedWeights(L.Callback):
    """Stops the run when a weight changes that does not learn: what was trained would be void.

    A stage starts with the base of the stage before, and goes on with the weights of its
    checkpoint. They are looked at again before each checkpoint is written, the last one and that of
    Ctrl-C included.
    """

    def __init__(self, run_dir: Path) -> None:
        self.path = run_dir / BASE
        self._saved: Mapping[str, int] = {}
        """By the checkpoint that the stage goes on from."""
        self._now: Mapping[str, int] = {}

    def on_load_checkpoint(
        self, trainer: L.Trainer, pl_module: L.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Remember what the checkpoint belongs to; a trainer may yet convert the weights."""
        self._saved = checkpoint["fixed_weights"]

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Raises UserError for other weights than those of the checkpoint or the stage before."""
        assert isinstance(pl_module, Stage)
        self._now = pl_module.policy.fixed_weights()
        before = json.loads(self.path.read_text()) if self.path.exists() else {}
        other = changed_weights(self._saved, self._now) or changed_weights(before, self._now)
        if other:
            raise UserError(
                f"the {other} weights are not those that {self.path.parent} was trained with: put "
                "back what model.path held then, or start a new run (with another cache_dir=, if "
                "its warm-up came from there)"
            )
        if not before and is_first():
            write_json(self.path, {"base": self._now["base"]})

    def on_save_checkpoint(
        self, trainer: L.Trainer, pl_module: L.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Raises RuntimeError when they are others than at the start."""
        assert isinstance(pl_module, Stage)
        other = changed_weights(self._now, pl_module.policy.fixed_weights())
        if other:
            raise RuntimeError(
                f"{other} weights changed since the last checkpoint, though they must not; what is "
                "saved is from before"
            )
        checkpoint["fixed_weights"] = dict(self._now)


def changed_weights(before: Mapping[str, int], now: Mapping[str, int]) -> str:
    """Names of what has another fingerprint."""
    return " and ".join(name for name, value in before.items() if now.get(name) != value)
