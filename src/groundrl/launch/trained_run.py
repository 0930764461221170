"""``run=``: the model, adapter and grammar of a finished training run."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import cast

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf, open_dict

from groundrl.errors import UserError
from groundrl.launch.resolved import RESOLVED
from groundrl.policy.policy import Policy
from groundrl.stages.frozen_weights import BASE

TAKEN = ("model", "adapter", "grammar")
"""Keys that ``run=`` sets, so that they cannot be chosen beside it."""
PLACES = ("attention", "dtype", "path", "prefix_sharing")
"""Options of the model that depend on the machine: they can be."""
OF_ITS_OWN = {
    "pretrain": "a model of its own: type model.path={folder}/model",
    "reward_model": "a reward model, which answers no questions",
}
"""Stage -> what a run of it leaves instead of a trained policy."""


def take_run(cfg: DictConfig, typed: Sequence[str] = ()) -> None:
    """Put the model, adapter and grammar of ``cfg.run``, a run directory of train.py, in place.

    ``typed``: the options of the command line; those of a script are known without it.
    """
    if cfg.run is None:
        return
    folder = Path(str(cfg.run)).expanduser()
    trained = open_run(folder)
    if not typed and HydraConfig.initialized():
        typed = HydraConfig.get().overrides.task
    keys = {line: line.lstrip("+~").split("=")[0].split(".") for line in typed}
    own = [key[1] for key in keys.values() if key[0] == "model" and key[-1] in PLACES]
    clash = [line for line, key in keys.items() if key[0] in TAKEN and key[-1] not in own]
    if clash:
        raise UserError(f"run={folder} brings its own {' and '.join(clash)}: drop one of the two")
    with open_dict(cfg):
        for name in own:
            trained.model[name] = cfg.model[name]
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


def open_run(folder: Path) -> DictConfig:
    """The config of a finished run of train.py. Raises UserError for any other folder."""
    no_run = f"run={folder} is no finished run of train.py"
    then = "Type run=<the path that it printed last>, or model.path=<folder>."
    if not folder.is_dir():
        raise UserError(f"{no_run}: there is no such folder. {then}")
    if not (folder / RESOLVED).is_file():
        raise UserError(f"{no_run}: it has no {RESOLVED}. {then}")
    trained = cast(DictConfig, OmegaConf.load(folder / RESOLVED))
    for stage in trained.get("pipeline") or ():
        if stage in OF_ITS_OWN:
            left = OF_ITS_OWN[stage].format(folder=folder)
            raise UserError(f"{no_run}: pipeline=[{stage}] makes {left}")
    if not (folder / "adapter").is_dir():
        if (folder / "checkpoints").is_dir():
            then = f"Finish it: type its command again with resume={folder}"
        raise UserError(f"{no_run}: it has no adapter/. {then}")
    return trained


def check_base(folder: Path, policy: Policy) -> None:
    """Raise UserError where the policy's base is not the one that the run was trained on.

    Not compared: a base that was trained itself, and one that was read in another precision (4
    bits, another dtype).
    """
    trained, file = open_run(folder), folder / BASE
    dtype = str(policy.vlm.dtype).removeprefix("torch.")
    as_read = trained.adapter.kind == "lora" and dtype == trained.model.get("dtype", "float32")
    if not as_read or not file.is_file():
        return
    before = json.loads(file.read_text(encoding="utf-8"))["base"]
    if policy.fixed_weights()["base"] != before:
        raise UserError(
            f"run={folder} was trained on another base than {trained.model.path} is now: put back "
            "what model.path held then, or type model.path=<folder or hub id> of that model"
        )
