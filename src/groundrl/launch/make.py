"""A node of a checked config -> the object that it names."""

from typing import Any, cast

from hydra.errors import InstantiationException
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from groundrl.errors import UserError
from groundrl.launch.sweep_report import root_cause


def make(node: DictConfig, **supplied: Any) -> Any:
    """The object that ``node`` names, from plain Python values instead of config nodes."""
    try:
        return instantiate(node, _convert_="all", **supplied)
    except InstantiationException as error:
        cause = root_cause(error)
        if isinstance(cause, UserError):
            raise cause from None
        raise


def resolved(node: DictConfig) -> DictConfig:
    """``node`` with nothing in it that refers elsewhere, for workers that have only it."""
    return cast(DictConfig, OmegaConf.create(OmegaConf.to_container(node, resolve=True)))
