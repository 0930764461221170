"""What the commands beside the three scripts share: reading options, composing, building."""

from argparse import ArgumentParser, RawDescriptionHelpFormatter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from hydra import compose
from hydra.core.config_loader import ConfigLoader
from omegaconf import DictConfig

from groundrl.config.check import check_config
from groundrl.data.datasets import SampleSource
from groundrl.errors import UserError
from groundrl.grammar.base import Grammar
from groundrl.launch.make import make
from groundrl.launch.overrides import explain_overrides, open_configs, quote_value
from groundrl.launch.resolvers import register_resolvers
from groundrl.rewards.base import RewardSum

ROOT = Path(__file__).parents[4]
"""The checkout, which holds ``conf/``."""


def command_line(module: str, description: str) -> ArgumentParser:
    """Options as ``train.py`` takes them: ``key=value``, and ``--config-dir`` for your own."""
    parser = ArgumentParser(
        prog=f"python -m {module}",
        description=description,
        formatter_class=RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "overrides", nargs="*", type=quote_value, metavar="key=value", help="see conf/"
    )
    parser.add_argument("--config-dir", "-cd", help="a folder with options of your own")
    return parser


@contextmanager
def open_command(
    name: str, overrides: Sequence[str], config_dir: str | None
) -> Iterator[ConfigLoader]:
    """Let ``compose_checked`` find the configs. Raises one UserError for all wrong options."""
    if not (ROOT / "conf").is_dir():
        raise UserError(f"there is no folder {ROOT / 'conf'}: run this command from a checkout")
    register_resolvers(ROOT)
    flags = [] if config_dir is None else ["--config-dir", config_dir]
    explain_overrides([*flags, *overrides], ROOT / "conf", name)
    with open_configs(ROOT / "conf", config_dir) as loader:
        yield loader


def compose_checked(name: str, overrides: Sequence[str]) -> DictConfig:
    """The config of that name. Raises one UserError for everything that is wrong with it."""
    cfg = compose(name, list(overrides))
    check_config(cfg)
    return cfg


def make_reward(cfg: DictConfig, grammar: Grammar, frame: str) -> RewardSum:
    """The reward of a checked config."""
    return make(cfg.reward, grammar=grammar, frame=frame)


def make_source(cfg: DictConfig) -> SampleSource | None:
    """The training samples of ``data``; None where it is null."""
    return make(cfg.data, seed=cfg.seed).train if "data" in cfg else None
