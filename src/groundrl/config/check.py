"""Reads a composed config once before anything is built, and tells every mistake at once."""

from collections.abc import Iterator
from typing import Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from groundrl.config.crosschecks import cross_checks
from groundrl.config.literals import placeholder
from groundrl.config.overlays import overlay_conflicts
from groundrl.config.problems import join, raise_all
from groundrl.config.signatures import SUPPLIED, argument_types, check_signature
from groundrl.config.tree import Hole, Target, find_targets, plain_tree
from groundrl.errors import UserError


def check_config(cfg: DictConfig) -> None:
    """Raise one UserError with every problem of ``cfg``, numbered, each with its fix.

    Looks at interpolations, ``???``, every ``_target_`` and its arguments, and at choices that do
    not go together. Imports the modules that the targets live in, and builds nothing.
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
        for path in _holes(tree, "")
        for annotation in [annotations.get(path)]
    ]
    problems += [problem for target in targets for problem in _check_target(target)]
    problems += cross_checks(tree)
    hydra = _hydra_node(cfg)
    if hydra is not None:
        problems += overlay_conflicts(hydra)
    raise_all(problems, "The config")


def _check_target(target: Target) -> list[str]:
    """What its signature says of its arguments and, of numbers that it would refuse only when the
    weights are loaded, what it says itself."""
    problems = check_signature(target)
    if problems or target.name != "groundrl.rollout.base.Sampling":
        return problems
    try:
        target.call(**{k: v for k, v in target.arguments.items() if not isinstance(v, Hole)})
    except UserError as error:
        return [str(error).replace("sampling.", f"{target.path}.")]
    return []


def _hydra_node(cfg: DictConfig) -> Any:
    if "hydra" in cfg:
        return cfg.hydra
    return HydraConfig.get() if HydraConfig.initialized() else None


def _holes(tree: object, path: str) -> Iterator[str]:
    """Every ``???`` that neither a partial's caller nor the code fills in."""
    if tree is Hole.MISSING:
        yield path
    elif isinstance(tree, list):
        for index, value in enumerate(tree):
            yield from _holes(value, join(path, index))
    elif isinstance(tree, dict):
        later = SUPPLIED.get(str(tree.get("_target_")), frozenset())
        for key, value in tree.items():
            filled_later = tree.get("_partial_") is True or key in later
            if not (value is Hole.MISSING and filled_later):
                yield from _holes(value, join(path, key))
