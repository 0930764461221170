"""Reads a composed config once before anything is built, and reports all of its problems."""

from collections.abc import Iterator
from typing import Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from groundrl.config.crosschecks import cross_checks, unused_nodes
from groundrl.config.literals import placeholder
from groundrl.config.overlays import overlay_conflicts
from groundrl.config.problems import join, raise_all
from groundrl.config.references import name_typed, references
from groundrl.config.signatures import argument_types, check_signature, supplied_arguments
from groundrl.config.tree import Target, Unknown, find_targets, known_values, plain_tree
from groundrl.config_node import ConfigNode


def check_config(cfg: DictConfig) -> None:
    """Raise one UserError with every problem of ``cfg``, numbered, each with its fix.

    Looks at interpolations, ``???``, every ``_target_`` and its arguments, at what the classes that
    are named there find wrong with their own options (``groundrl.config_node``), and at choices
    that do not go together. Imports the modules of the targets, and builds nothing.
    """
    problems: list[str] = []
    tree = plain_tree(cfg, problems)
    assert isinstance(tree, dict)
    # Composed by hydra.main the node is kept apart; composed by hydra.compose it may stand inside.
    tree.pop("hydra", None)
    targets = find_targets(tree, problems)
    annotations = {path: kind for t in targets for path, kind in argument_types(t).items()}
    problems += [
        f"{path} is missing: type {path}={placeholder(path.rpartition('.')[2], annotation)}"
        for path in _missing_values(tree, "", {t.path: t for t in targets})
        for annotation in [annotations.get(path)]
    ]
    problems += _target_problems(targets, tree)
    problems += cross_checks(tree)
    hydra = _hydra_node(cfg)
    if hydra is not None:
        problems += overlay_conflicts(hydra)
    names = references(cfg)
    raise_all([*dict.fromkeys(name_typed(one, names) for one in problems)], "The config")


def _target_problems(targets: list[Target], tree: dict[str, Any]) -> Iterator[str]:
    """What signatures forbid; of the others, what the classes themselves find wrong."""
    known = known_values(tree)
    calls = {target.path: target.call for target in targets}
    unused = unused_nodes(tree)
    for target in targets:
        wrong = check_signature(target)
        yield from wrong
        find_problems = getattr(target.call, "config_problems", None)
        used = not any(f"{target.path}.".startswith(f"{path}.") for path in unused)
        if find_problems is not None and used and not wrong:
            options = known_values(target.arguments)
            node = ConfigNode(path=target.path, options=options, tree=known, targets=calls)
            yield from find_problems(node)


def _hydra_node(cfg: DictConfig) -> Any:
    if "hydra" in cfg:
        return cfg.hydra
    return HydraConfig.get() if HydraConfig.initialized() else None


def _missing_values(tree: object, path: str, targets: dict[str, Target]) -> Iterator[str]:
    """Path of every ``???`` that neither a partial's caller nor the code fills in."""
    if tree is Unknown.MISSING:
        yield path
    elif isinstance(tree, list):
        for index, value in enumerate(tree):
            yield from _missing_values(value, join(path, index), targets)
    elif isinstance(tree, dict):
        later = supplied_arguments(targets[path]) if path in targets else frozenset()
        for key, value in tree.items():
            filled_later = tree.get("_partial_") is True or key in later
            if not (value is Unknown.MISSING and filled_later):
                yield from _missing_values(value, join(path, key), targets)
