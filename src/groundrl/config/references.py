"""Options that take their value from another one: ``data.train.rationale: ${rationale}``."""

import re
from collections.abc import Mapping
from typing import Any, cast

from omegaconf import DictConfig, OmegaConf

from groundrl.config.overlays import leaves
from groundrl.config.problems import join

REFERENCE = re.compile(r"\$\{(\.*)([A-Za-z_][\w.]*)\}")


def references(cfg: DictConfig) -> dict[str, str]:
    """Option -> the option that a user types instead of it, for those that are nothing but a
    reference."""
    raw = leaves(cast(dict[str, Any], OmegaConf.to_container(cfg, resolve=False)))
    found: dict[str, str] = {}
    for key, value in raw.items():
        reference = REFERENCE.fullmatch(value) if isinstance(value, str) else None
        if reference is not None:
            dots, name = reference.groups()
            above = key.split(".")[: -len(dots)] if dots else []
            found[key] = ".".join([*above, name])
    return found


def typed_name(key: str, found: Mapping[str, str]) -> str:
    """The option that is typed to change ``key``; ``key`` itself where it refers to none."""
    seen: set[str] = set()
    while key not in seen:
        seen.add(key)
        parts = key.split(".")
        for length in range(len(parts), 0, -1):
            above = ".".join(parts[:length])
            if above in found:
                key = join(found[above], ".".join(parts[length:])).rstrip(".")
                break
    return key


def name_typed(problem: str, found: Mapping[str, str]) -> str:
    """The problem with the options that are typed in place of those that refer to them."""
    words = re.split(r"([\w.]*\w)", problem)
    return "".join(typed_name(word, found) if "." in word else word for word in words)
