"""The config of a run on disk: written once, compared on resume, hashed for caches."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from groundrl.config.overlays import leaves
from groundrl.config.problems import join, raise_all
from groundrl.config.references import references, typed_name
from groundrl.config.tree import find_targets
from groundrl.errors import UserError
from groundrl.files import write_text
from groundrl.launch.sweeps.grid import parse_options, typed_key

RESOLVED = "resolved.yaml"
OF_A_SWEEP = frozenset({"published", "conclusions", "needs", "sweep", "launcher"})
"""Top-level options that say something about a sweep and nothing about a run of it."""
MAY_DIFFER = OF_A_SWEEP | {"output_dir", "resume", "requeue", "hydra", "cache_dir", "concurrency"}
"""Top-level options that may differ between a run and its continuation: they change no result.
Below a ``_target_`` these are the ``resource_options`` that its class declares."""


def save_resolved(cfg: DictConfig, path: Path) -> None:
    """Write ``cfg`` with interpolations resolved; the file is either whole or not there."""
    write_text(path, OmegaConf.to_yaml(cfg, resolve=True))


def config_hash(cfg: DictConfig, keys: Sequence[str]) -> str:
    """16 hex digits of SHA-256 over the resolved values at ``keys`` (``"stage.sft"``).

    The order of keys does not matter. Raises KeyError for a key that ``cfg`` does not have.
    """
    tree = OmegaConf.to_container(cfg, resolve=True)
    canonical = json.dumps({key: _at(tree, key) for key in keys}, sort_keys=True)
    return hashlib.sha256(canonical.encode()).hexdigest()[:16]


def _at(tree: Any, key: str) -> Any:
    for part in key.split("."):
        tree = tree[part]
    return tree


def chosen_options(cfg: DictConfig) -> dict[str, object]:
    """What runs are told apart by in TensorBoard: the chosen option files, the seed, and the typed
    options that results depend on. The whole config stands in ``resolved.yaml``."""
    options: dict[str, object] = {"seed": cfg.seed}
    if HydraConfig.initialized():
        hydra = HydraConfig.get()
        choices = hydra.runtime.choices.items()
        options |= {
            key: choice
            for key, choice in choices
            if choice and key.isidentifier() and key not in OF_A_SWEEP
        }
        typed = {typed_key(one): one.value() for one in parse_options(hydra.overrides.task)}
        options |= {k: v for k, v in typed.items() if k.split(".")[0] not in MAY_DIFFER}
    return options


def no_run(folder: str | Path) -> str:
    """The problem that ``resume=`` does not name a run directory."""
    return (
        f"resume={folder} is no run directory: it has no {RESOLVED}. "
        "Type resume=<the path that an earlier run printed last>."
    )


def check_resume(cfg: DictConfig, run_dir: Path) -> None:
    """Raise UserError unless ``run_dir`` was started with a config that gives the same results."""
    if not (run_dir / RESOLVED).is_file():
        raise UserError(no_run(run_dir))
    tree = OmegaConf.to_container(cfg, resolve=True)
    # Of this config only: what the file names is not imported.
    resources = _resource_options(tree)
    before, now = _comparable(read_resolved(run_dir), resources), _comparable(tree, resources)
    absent = "nothing"
    changed = [
        key
        for key in sorted(before.keys() | now.keys())
        if before.get(key, absent) != now.get(key, absent)
    ]
    names = references(cfg)
    problems = [
        f"{key} was {before.get(key, absent)} and is now {now.get(key, absent)}: "
        + (f"type {key}={_typed(before[key])}" if key in before else f"drop {key}")
        for key in changed
        if typed_name(key, names) not in {*changed} - {key}  # that one changed it
    ]
    raise_all(problems, f"{run_dir} was started with another config: going on with it")


def _typed(value: object) -> str:
    return "null" if value is None else json.dumps(value) if isinstance(value, bool) else str(value)


def read_resolved(run_dir: Path) -> dict[str, Any]:
    """The config of a run as plain values, of which nothing is imported or looked up.

    Raises UserError for a damaged file.
    """
    file = run_dir / RESOLVED
    try:
        loaded = OmegaConf.load(file)
    # No YAML; no UTF-8; neither keys nor a list; keys or values that no config has.
    except (YAMLError, ValueError, OSError, OmegaConfBaseException) as error:
        reason = " ".join(str(error).split())
        raise UserError(f"{file} is no config of a run: {reason}. Restore the file.") from error
    tree = OmegaConf.to_container(loaded)
    if not isinstance(tree, dict):
        raise UserError(f"{file} is no config of a run: it is a list. Restore the file.")
    return {str(key): value for key, value in tree.items()}


def _resource_options(tree: Any) -> frozenset[str]:
    """Options that change no result, as their classes declare."""
    return frozenset(
        join(target.path, option)
        for target in find_targets(tree, problems=[])
        for option in getattr(target.call, "resource_options", ())
    )


def _comparable(tree: Any, resources: frozenset[str]) -> dict[str, object]:
    """The leaves that results depend on; paths in the output directory become relative to it."""
    output = str(tree.get("output_dir") or "")
    return {
        key: _relative(value, output)
        for key, value in leaves(tree).items()
        if key.split(".")[0] not in MAY_DIFFER and key not in resources
    }


def _relative(value: object, output: str) -> object:
    if not output or not isinstance(value, str):
        return value
    return value.removeprefix(output) if f"{value}/".startswith(f"{output}/") else value
