"""``run=`` of evaluate.py: the model, adapter and grammar of a finished training run."""

from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf, open_dict

from groundrl.config_node import value_at
from groundrl.errors import UserError
from groundrl.launch.resolved import RESOLVED, read_resolved
from groundrl.launch.trusted import check_foreign
from groundrl.launch.warmup import ANSWER_TOKENS

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
    trained = read_resolved(folder)
    model, grammar, limit = (value_at(trained, key) for key in ("model", "grammar", ANSWER_TOKENS))
    if not isinstance(model, dict) or not isinstance(grammar, str) or not isinstance(limit, int):
        raise UserError(f"{file} is no config of train.py: type run=<the path that it printed>")
    check_foreign({"model": model, "grammar": grammar}, str(file))
    with open_dict(cfg):
        OmegaConf.update(cfg, "model", model, merge=False)
        cfg.grammar = grammar
        if OmegaConf.is_interpolation(cfg.sampling, "max_tokens"):  # nothing was typed
            cfg.sampling.max_tokens = limit
        cfg.model.adapter = cfg.adapter
        weights = str(folder / "adapter")
        if (folder / "adapter" / "adapter_config.json").is_file():
            cfg.adapter.path = weights
        else:  # adapter=none trains and saves the whole model
            cfg.model.path = weights
        cfg.model.adapter = cfg.adapter
