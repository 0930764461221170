"""A composed config as plain values, with its ``_target_`` nodes found."""

import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import Any

from omegaconf import DictConfig, ListConfig, OmegaConf
from omegaconf.errors import InterpolationResolutionError, InterpolationToMissingValueError

from groundrl.config.problems import did_you_mean, join


class Unknown(Enum):
    """Stands in the tree for a value that is not known."""

    MISSING = "???"
    """The user has to fill it in."""
    ELSEWHERE = "${}"
    """An interpolation of a part of the config that is checked at its own place."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A node that Hydra turns into a call."""

    path: str
    """Where it stands: ``reward.terms.iou``."""
    name: str
    """Value of ``_target_``."""
    call: Callable[..., object]
    options: dict[str, Any]
    """The node's keys with plain values; Hydra's own keys (``_partial_``, …) included."""

    @property
    def arguments(self) -> dict[str, Any]:
        """The keyword arguments that the node spells out."""
        hydra = {"_target_", "_partial_", "_convert_", "_recursive_", "_args_"}
        return {key: value for key, value in self.options.items() if key not in hydra}


def plain_tree(
    node: DictConfig | ListConfig, problems: list[str], path: str = ""
) -> dict[str, Any] | list[Any]:
    """Nested dicts and lists with interpolations resolved; appends those that lead nowhere."""
    keys = range(len(node)) if isinstance(node, ListConfig) else [str(key) for key in node]
    values = [_plain_value(node, key, problems, join(path, key)) for key in keys]
    if isinstance(node, ListConfig):
        return values
    return dict(zip(map(str, keys), values, strict=True))


def _plain_value(node: Any, key: str | int, problems: list[str], path: str) -> Any:
    if OmegaConf.is_missing(node, key):
        return Unknown.MISSING
    try:
        value = node[key]
    except InterpolationToMissingValueError:
        return Unknown.ELSEWHERE
    except InterpolationResolutionError as error:
        raw = node._get_node(key)
        # Known only inside a run; the config is also checked outside one.
        if "${hydra:" not in str(raw):
            reason = str(error).splitlines()[0]
            problems.append(f"{path}={raw} cannot be read ({reason}): type {path}=<value>")
        return Unknown.ELSEWHERE
    if not isinstance(value, DictConfig | ListConfig):
        return value
    if OmegaConf.is_interpolation(node, key) and isinstance(value, DictConfig):
        return Unknown.ELSEWHERE
    return plain_tree(value, problems, path)


def find_targets(tree: object, problems: list[str], path: str = "") -> list[Target]:
    """Every ``_target_`` of the tree, outermost first; appends those that cannot be imported."""
    found: list[Target] = []
    if isinstance(tree, dict):
        name = tree.get("_target_")
        if isinstance(name, str):
            call = _locate(name, join(path, "_target_"), problems)
            if call is not None:
                found.append(Target(path=path, name=name, call=call, options=tree))
        children = tree.items()
    elif isinstance(tree, list):
        children = enumerate(tree)
    else:
        return found
    for key, value in children:
        found += find_targets(value, problems, join(path, key))
    return found


def known_values(tree: dict[str, Any]) -> dict[str, Any]:
    """A copy without the keys whose value is unknown; in a list such a value becomes None."""
    return {key: _known(value) for key, value in tree.items() if not isinstance(value, Unknown)}


def _known(value: object) -> object:
    if isinstance(value, dict):
        return known_values(value)
    if isinstance(value, list):
        return [_known(item) for item in value]
    return None if isinstance(value, Unknown) else value


def _locate(name: str, path: str, problems: list[str]) -> Callable[..., object] | None:
    """The object that a dotted name stands for; imports no more than the modules on its way."""
    found: Any = None
    walked = ""
    for part in name.split("."):
        inside = join(walked, part)
        if walked and hasattr(found, part):
            found = getattr(found, part)
        elif not walked or _is_submodule(found, part):
            try:
                found = import_module(inside)
            except ImportError as error:
                problems.append(f"{path}: {inside} cannot be imported ({error}): install it")
                return None
        else:
            near = did_you_mean(part, _members(found))
            problems.append(f"{path}: {walked} has no '{part}'{near or '; check the spelling'}")
            return None
        walked = inside
    if not callable(found):
        problems.append(f"{path}: {name} is no class and no function; name one")
        return None
    return found


def _is_submodule(found: object, part: str) -> bool:
    if not isinstance(found, ModuleType) or not hasattr(found, "__path__"):
        return False
    return find_spec(f"{found.__name__}.{part}") is not None


def _members(found: object) -> list[str]:
    """Public names that may follow after a dot."""
    modules = pkgutil.iter_modules(getattr(found, "__path__", []))
    return [*(name for name in dir(found) if not name.startswith("_")), *(m.name for m in modules)]
