"""A node of a checked config -> the object that it names."""

from typing import Any

from hydra.errors import InstantiationException
from hydra.utils import instantiate
from omegaconf import DictConfig

from groundrl.config.sweep_report import root_cause
from groundrl.errors import UserError


def make(node: DictConfig, **supplied: Any) -> Any:
    """The object that ``node`` names, from plain Python values instead of config nodes."""
    try:
        return instantiate(node, _convert_="all", **supplied)
    except InstantiationException as error:
        cause = root_cause(error)
        if isinstance(cause, UserError):
            raise cause from None
        raise
