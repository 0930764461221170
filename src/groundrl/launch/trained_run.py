"""``run=``: the model, adapter and grammar of a finished training run, or of a shared one."""

from collections.abc import Sequence
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf, open_dict

from groundrl.errors import UserError
from groundrl.export.description import DESCRIPTION, read_description
from groundrl.files import read_json
from groundrl.launch.make import make, resolved
from groundrl.launch.resolved import RESOLVED, read_resolved
from groundrl.launch.trusted import check_foreign
from groundrl.launch.warmup import ANSWER_TOKENS
from groundrl.policy.embedded import EMBEDDED
from groundrl.policy.policy import Policy
from groundrl.stages.fitting.frozen_weights import BASE

TAKEN = ("model", "adapter", "grammar")
"""Keys that ``run=`` sets, so that they cannot be chosen beside it."""
ADAPTER_CONFIG = "adapter_config.json"
PLACES = ("attention", "dtype", "path", "prefix_sharing")
"""Options of the model that depend on the machine: they can be; the path that of the base of an
adapter."""
OF_ITS_OWN = {
    "pretrain": "a model of its own: type model.path={folder}/model",
    "reward_model": "a reward model, which answers no questions",
}
"""Stage -> what a run of it leaves instead of a trained policy."""


def take_run(cfg: DictConfig, typed: Sequence[str] = ()) -> None:
    """Put the model, adapter and grammar of ``cfg.run`` in place: a run directory of train.py, its
    ``adapter/``, or a folder of ``groundrl.export``.

    ``typed``: the options of the command line; those of a script are known without it.
    """
    if cfg.run is None:
        return
    folder = Path(str(cfg.run)).expanduser()
    trained = open_shared(folder) if is_shared(folder) else open_run(folder)
    if not typed and HydraConfig.initialized():
        typed = HydraConfig.get().overrides.task
    weights = folder if is_shared(folder) else folder / "adapter"
    adapted = (weights / ADAPTER_CONFIG).is_file()
    places = {f"model.{name}": name for name in PLACES if adapted or name != "path"}
    keys = {line: line.lstrip("+").split("=")[0] for line in typed}
    own = [places[key] for key in keys.values() if key in places]
    taken = [line for line, key in keys.items() if key.lstrip("~").split(".")[0] in TAKEN]
    clash = [line for line in taken if keys[line] not in places]
    if clash:
        raise UserError(f"run={folder} brings its own {' and '.join(clash)}: drop one of the two")
    with open_dict(cfg):
        if adapted:
            cfg.adapter.path = str(weights)
        else:  # a whole model: merged, or trained and saved with adapter=none
            trained.model.path = str(weights)
        for name in own:
            trained.model[name] = cfg.model[name]
        cfg.model, cfg.grammar = trained.model, trained.grammar
        if OmegaConf.is_interpolation(cfg.sampling, "max_tokens"):  # nothing was typed
            cfg.sampling.max_tokens = OmegaConf.select(trained, ANSWER_TOKENS)
        cfg.model.adapter = cfg.adapter


def is_shared(folder: Path) -> bool:
    """Whether the folder is an adapter or a model to share, not a run directory."""
    return (folder / DESCRIPTION).is_file()


def open_shared(folder: Path) -> DictConfig:
    """What a run's config says about its model, from ``groundrl.json``. Raises UserError."""
    found = read_description(folder)
    # A whole model has a processor of its own, and the embedded base its own limits.
    own_limits = found.base == EMBEDDED or not (folder / ADAPTER_CONFIG).is_file()
    config = OmegaConf.create(
        {
            "model": {
                "_target_": "groundrl.policy.load.load_policy",
                "path": found.base,
                "frame": found.frame,
                "dtype": found.dtype,
                "min_pixels": None if own_limits else found.min_pixels,
                "max_pixels": None if own_limits else found.max_pixels,
                "template": {
                    "_target_": "groundrl.prompts.PromptTemplate",
                    "instruction": found.instruction,
                    "answer_style": found.answer_style,
                },
            },
            "grammar": found.grammar,
        }
    )
    OmegaConf.update(config, ANSWER_TOKENS, found.max_tokens)
    return config


def open_run(folder: Path) -> DictConfig:
    """The config of a finished run of train.py. Raises UserError for any other folder, and for a
    config that names code which none of the user's own configs names."""
    no_run = f"run={folder} is no finished run of train.py"
    then = "Type run=<the path that it printed last>, or model.path=<folder>."
    if not folder.is_dir():
        raise UserError(f"{no_run}: there is no such folder. {then}")
    if not (folder / RESOLVED).is_file():
        raise UserError(f"{no_run}: it has no {RESOLVED}. {then}")
    found = read_resolved(folder)
    check_foreign({key: found.get(key) for key in ("model", "grammar")}, str(folder / RESOLVED))
    for stage in found.get("pipeline") or ():
        if stage in OF_ITS_OWN:
            left = OF_ITS_OWN[stage].format(folder=folder)
            raise UserError(f"{no_run}: pipeline=[{stage}] makes {left}")
    if not (folder / "adapter").is_dir():
        if (folder / "checkpoints").is_dir():
            then = f"Finish it: type its command again with resume={folder}"
        raise UserError(f"{no_run}: it has no adapter/. {then}")
    if not isinstance(found.get("model"), dict) or not isinstance(found.get("grammar"), str):
        raise UserError(f"{no_run}: {RESOLVED} names no model and no grammar. {then}")
    return OmegaConf.create(found)


def saved_adapter(folder: Path) -> bool:
    """Whether ``adapter/`` of a run is an adapter; with adapter=none it is the whole model."""
    return (folder / "adapter" / ADAPTER_CONFIG).is_file()


def load_trained(run: str, base: str = "") -> Policy:
    """The policy of a finished run on the CPU, frozen, with its base as the run read it (of 4-bit
    weights: in full). ``base``: where that is now, if not where it was.

    Raises UserError where the base is another one.
    """
    folder = Path(run).expanduser()
    node = open_run(folder).model
    node.adapter = OmegaConf.create(
        {"_target_": "groundrl.policy.adapters.adapter.Adapter", "kind": "frozen"}
    )
    node.attention = "sdpa"
    if "vision_store" in node:
        node.vision_store = None
    if base:
        node.path = base
    weights = str(folder / "adapter")
    if saved_adapter(folder):
        node.adapter.path = weights
    else:
        node.path = weights
    policy = make(resolved(node))
    check_base(folder, policy)
    return policy


def check_base(folder: Path, policy: Policy) -> None:
    """Raise UserError where the policy's base is not the one that the run was trained on.

    Not compared: a base that was trained itself, and one that was read in another precision (4
    bits, another dtype).
    """
    if is_shared(folder):
        return  # it states the name of its base only
    trained, file = open_run(folder), folder / BASE
    dtype = str(policy.vlm.dtype).removeprefix("torch.")
    as_read = trained.adapter.kind in ("lora", "soft_prompt") and dtype == trained.model.get(
        "dtype", "float32"
    )
    if not as_read or not file.is_file():
        return
    before = read_json(file)["base"]
    if policy.fixed_weights()["base"] != before:
        raise UserError(
            f"run={folder} was trained on another base than {trained.model.path} is now: put back "
            "what model.path held then, or type model.path=<folder or hub id> of that model"
        )
