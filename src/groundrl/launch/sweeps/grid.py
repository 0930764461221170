"""The jobs of a multirun: what varies, how many there are, what their rows are called."""

import math
import sys
from argparse import ArgumentParser
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override

from groundrl.launch.resolvers import run_name
from groundrl.report.runs import split_seed


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """Every combination of the values of its options, in the order of Hydra's own sweeper."""

    options: tuple[tuple[str, ...], ...]
    """Each option as the jobs get it: ``("seed=0", "seed=1")``."""
    varied: tuple[str, ...]
    """Keys that are in the names of runs."""

    @classmethod
    def of(cls, params: Mapping[str, object], typed: Sequence[Override]) -> "Grid":
        """Of a sweep file's ``params`` and the typed options, which win over them."""
        keys = {override.key_or_group for override in typed}
        left = {key: value for key, value in params.items() if key not in keys}
        swept = [*parse_options([f"{key}={value}" for key, value in left.items()]), *typed]
        # An option that is typed twice counts once.
        values = {override.get_key_element(): _values(override) for override in swept}
        return cls(
            options=tuple(values.values()),
            varied=(*left, *(typed_key(o) for o in typed if o.is_sweep_override())),
        )

    @property
    def size(self) -> int:
        """How many jobs."""
        return math.prod(map(len, self.options))

    def jobs(self) -> Iterator[tuple[str, ...]]:
        """The options of each job."""
        return product(*self.options)

    def names(self) -> list[str]:
        """Each job's folder below that of the sweep."""
        return [run_name(job, self.varied) for job in self.jobs()]

    def rows(self) -> list[str]:
        """The settings: jobs that differ in their seed only are one."""
        return [*dict.fromkeys(split_seed(name)[0] or name for name in self.names())]


def hydra_flags() -> ArgumentParser:
    """Hydra's flags that matter here, and those that take a value."""
    parser = ArgumentParser(add_help=False)
    parser.add_argument("overrides", nargs="*")
    parser.add_argument("--multirun", "-m", action="store_true")
    for long, short in (("dir", "d"), ("name", "n"), ("path", "p")):
        parser.add_argument(f"--config-{long}", f"-c{short}")
    for long in ("--cfg", "--package", "--info", "--experimental-rerun"):
        parser.add_argument(long, long[1:3], nargs="?")
    return parser


def parse_options(lines: Sequence[str]) -> list[Override]:
    """The options of a command line; inside a run, ``glob`` finds those of its configs."""
    hydra = GlobalHydra.instance()
    loader = hydra.config_loader() if hydra.is_initialized() else None
    return OverridesParser.create(loader).parse_overrides([*lines])


def _values(override: Override) -> tuple[str, ...]:
    if override.is_discrete_sweep():
        key = override.get_key_element()
        return tuple(f"{key}={value}" for value in override.sweep_string_iterator())
    return (str(override.input_line),)


def typed_key(override: Override) -> str:
    """The option as it is typed: ``reward/term@reward.terms.giou``."""
    return override.get_key_element().lstrip("+~")


def jobs_left() -> list[str]:
    """The names of the multirun's jobs from the current one on."""
    hydra = HydraConfig.get()
    words = hydra_flags().parse_known_args(sys.argv[1:])[0].overrides
    grid = Grid.of(hydra.sweeper.get("params") or {}, parse_options(words))
    return grid.names()[hydra.job.num :]
