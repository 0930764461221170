"""Train and ask from Python, as notebooks do: options are those of the command line."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from hydra import compose

from groundrl.launch.logs import configure_logging, silence_libraries

if TYPE_CHECKING:
    from groundrl.ask.asker import Asker
    from groundrl.data.module import GroundingDataModule

# Libraries are imported below, once it is settled what they may say.
silence_libraries()

SMALL = (
    "stage.sft.steps=8",
    "stage.sft.prompts_per_step=16",
    "stage.sft.module.optimization.warmup=2",
    "stage.grpo.steps=6",
    "stage.grpo.prompts_per_step=4",
    "stage.grpo.module.optimization.warmup=1",
    "stage.grpo.module.optimization.lr=2.0e-3",
    "data.heldout_size=16",
)
"""Options of a run that takes less than a minute on one core: every part works and the form of
answers is learned; whether rewards rise is for longer runs to show."""


def train_once(folder: str | Path, options: Sequence[str]) -> Path:
    """``python train.py <options> output_dir=<folder>`` in this process, unless ``folder`` holds
    that run already; one that was interrupted goes on.

    Returns ``folder``. Raises UserError for wrong options and where ``folder`` holds another run.
    """
    from groundrl.launch.commands.base import compose_checked, open_command
    from groundrl.launch.main import keep_config, lock_run
    from groundrl.launch.training import build_training

    configure_logging()
    folder = Path(folder)
    typed = [*options, f'output_dir="{folder}"']  # quoted: a path may hold "="
    with open_command("train", typed, None):
        cfg = compose_checked("train", typed)
        folder.mkdir(parents=True, exist_ok=True)
        with lock_run(folder):
            keep_config("train", cfg, folder)
            if not (folder / "metrics.json").is_file():
                build_training(cfg, folder).run()
    return folder


def load_data(options: Sequence[str]) -> "GroundingDataModule":
    """The training and held-out samples of ``python train.py <options>``. Raises UserError."""
    from groundrl.launch.commands.base import compose_checked, open_command
    from groundrl.launch.make import make

    with open_command("train", options, None):
        cfg = compose_checked("train", options)
        return make(cfg.data, seed=cfg.seed)


def load_asker(run: str | Path | None = None, options: Sequence[str] = ()) -> "Asker":
    """The model that ``python -m groundrl.ask run=<run> <options>`` asks; without ``run`` the one
    that the options name, or the embedded one. It stays on the trainer's device. Raises UserError.
    """
    from groundrl.config.check import check_config
    from groundrl.launch.commands.ask import make_asker
    from groundrl.launch.commands.base import open_command
    from groundrl.launch.make import make, resolved
    from groundrl.launch.trained_run import take_run
    from groundrl.launch.training import make_trainer

    typed = [*options, *([] if run is None else [f'run="{run}"'])]
    with open_command("ask", typed, None):
        cfg = compose("ask", typed)
        take_run(cfg, typed)
        check_config(cfg)
        policy = make(resolved(cfg.model))
        trainer = make_trainer(cfg.trainer)(logger=False, enable_checkpointing=False)
        policy.to(trainer.strategy.root_device)
        return make_asker(cfg, policy)
