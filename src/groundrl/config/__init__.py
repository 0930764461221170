"""The only part of the package that knows Hydra: checks a composed config before it is built."""

from groundrl.config.check import check_config
from groundrl.config.overrides import explain_overrides
from groundrl.config.resolved import check_resume, config_hash, save_resolved
from groundrl.config.resolvers import register_resolvers

__all__ = [
    "check_config",
    "check_resume",
    "config_hash",
    "explain_overrides",
    "register_resolvers",
    "save_resolved",
]
