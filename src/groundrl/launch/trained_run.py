"""``run=`` of evaluate.py: the model, adapter and grammar of a finished training run."""

from pathlib import Path
from typing import cast

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf, open_dict

from groundrl.errors import UserError
from groundrl.launch.resolved import RESOLVED

TAKEN = ("model", "adapter", "grammar")
"""Keys that ``run=`` sets, so that they cannot be chosen beside it."""


def take_run(cfg: DictConfig) -> None:
    """Put the model, adapter and grammar of ``cfg.run``, a run directory of train.py, in place."""
    if cfg.run is None:
        return
    folder = Path(str(cfg.run))
    file = folder / RESOLVED
    if not file.is_file() or not (folder / "adapter").is_dir():
        raise UserError(
            f"run={folder} is no finished run of train.py: it needs {RESOLVED} and adapter/. "
            "Type run=<the path that it printed last>, or model.path=<folder>."
        )
    typed = HydraConfig.get().overrides.task if HydraConfig.initialized() else []
    clash = [line for line in typed if line.lstrip("+~").split("=")[0].split(".")[0] in TAKEN]
    if clash:
        raise UserError(f"run={folder} brings its own {' and '.join(clash)}: drop one of the two")
    trained = cast(DictConfig, OmegaConf.load(file))
    with open_dict(cfg):
        cfg.model, cfg.grammar = trained.model, trained.grammar
        if OmegaConf.is_interpolation(cfg.sampling, "max_tokens"):  # nothing was typed
            cfg.sampling.max_tokens = trained.stage.grpo.module.sampler.sampling.max_tokens
        cfg.model.adapter = cfg.adapter
        weights = str(folder / "adapter")
        if (folder / "adapter" / "adapter_config.json").is_file():
            cfg.adapter.path = weights
        else:  # adapter=none trains and saves the whole model
            cfg.model.path = weights
        cfg.model.adapter = cfg.adapter
