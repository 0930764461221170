"""Finds typed options that undo what the chosen ablation sets: its name would be wrong."""

from pathlib import Path
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from omegaconf import DictConfig, OmegaConf

from groundrl.config.problems import join

GROUP = "ablation"
"""Config group whose files are overlays (``# @package _global_``)."""


def overlay_conflicts(hydra: DictConfig) -> list[str]:
    """Problems of options typed by the user that win over those of the chosen ablation."""
    chosen = OmegaConf.to_container(hydra.runtime.choices).get(GROUP)  # type: ignore[union-attr]
    if not isinstance(chosen, str):
        return []
    overlay = _load_overlay(hydra, chosen)
    typed = OverridesParser.create().parse_overrides(list(hydra.overrides.task))
    problems = []
    for override in typed:
        for key, value in _undone(override, overlay):
            problems.append(
                f"{GROUP}={chosen} sets {key}={value}, but {override.input_line} was typed and "
                f"wins: drop {override.input_line}, or drop {GROUP}={chosen}"
            )
    return problems


def _load_overlay(hydra: DictConfig, name: str) -> dict[str, object]:
    """The choices and values in the overlay's file: ``{"reward": "acc", "stage.kl_coef": 0.0}``."""
    for source in hydra.runtime.config_sources:
        file = Path(source.path) / GROUP / f"{name}.yaml"
        if source.schema == "file" and file.is_file():
            content = OmegaConf.to_container(OmegaConf.load(file))
            assert isinstance(content, dict)
            settings = {str(key): value for key, value in content.items()}
            return _choices(settings.pop("defaults", [])) | leaves(settings)
    return {}


def _choices(defaults: list[Any]) -> dict[str, object]:
    return {
        key.removeprefix("override ").lstrip("/"): option
        for entry in defaults
        if isinstance(entry, dict)
        for key, option in entry.items()
    }


def leaves(tree: dict[str, Any], path: str = "") -> dict[str, object]:
    """``{"stage": {"lr": 1}}`` -> ``{"stage.lr": 1}``; lists and empty mappings stay whole."""
    flat: dict[str, object] = {}
    for key, value in tree.items():
        if isinstance(value, dict) and value:
            flat |= leaves(value, join(path, key))
        else:
            flat[join(path, key)] = value
    return flat


def _undone(override: Override, overlay: dict[str, object]) -> list[tuple[str, object]]:
    """Keys and values of the overlay that the typed option changes or deletes."""
    key = override.get_key_element().lstrip("+~")
    if override.is_delete():
        return [(o, v) for o, v in overlay.items() if o == key or o.startswith(f"{key}.")]
    typed = leaves({key: override.value()})
    return [(o, v) for o, v in overlay.items() if o in typed and typed[o] != v]
