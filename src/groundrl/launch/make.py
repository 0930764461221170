"""Builds the object that a node of a checked config names."""

from typing import Any, cast

from hydra.errors import InstantiationException
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from groundrl.errors import UserError


def make(node: DictConfig, **supplied: Any) -> Any:
    """Call the ``_target_`` of ``node`` with plain Python values instead of config nodes.

    Raises the UserError of a constructor without Hydra's wrapping.
    """
    try:
        return instantiate(node, _convert_="all", **supplied)
    except InstantiationException as error:
        cause = root_cause(error)
        if isinstance(cause, UserError):
            raise cause from None
        raise


def resolved(node: DictConfig) -> DictConfig:
    """A copy of ``node`` without interpolations, for workers that do not have the whole config."""
    return cast(DictConfig, OmegaConf.create(OmegaConf.to_container(node, resolve=True)))


def root_cause(error: BaseException) -> BaseException:
    """The error of the constructor, without the errors in which Hydra wraps it."""
    while isinstance(error, InstantiationException) and error.__cause__ is not None:
        error = error.__cause__
    return error
