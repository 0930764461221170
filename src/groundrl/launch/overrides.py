"""Explains wrong options of a command line before Hydra reads it, each with the nearest right one.

Composes the config with Hydra's public interface, imports no target, and costs nothing without
options.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path
from typing import Any, cast

from hydra import compose, initialize_config_dir
from hydra.core.config_loader import ConfigLoader
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException, MissingConfigException, OverrideParseException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from groundrl.config.crosschecks import NODES, missing_needs, unwritable_folders
from groundrl.config.overlays import leaves
from groundrl.config.problems import did_you_mean, raise_all
from groundrl.config.secrets import secret_problems
from groundrl.errors import UserError
from groundrl.launch.resolved import RESOLVED, no_run
from groundrl.launch.sweeps.grid import hydra_flags
from groundrl.launch.sweeps.study import study_problems
from groundrl.launch.trusted import sweep_problems

VERSION_BASE = "1.3"
"""Of Hydra's behaviour; ``hydra.main`` of the scripts takes the same."""

PLAIN_WITH_EQUALS = re.compile(r"([^-=][^=]*)=([^\s,'\"\[\](){}$\\=]*=[^\s,'\"\[\](){}$\\]*)")
"""``run=sweep/seed=0``: a value, such as the folder of a job, that Hydra reads only in quotes."""


def quote_value(word: str) -> str:
    """A word of the command line as Hydra reads it: ``run="sweep/seed=0"``."""
    found = PLAIN_WITH_EQUALS.fullmatch(word)
    return f'{found[1]}="{found[2]}"' if found else word


def explain_overrides(argv: Sequence[str], config_dir: Path, config_name: str) -> None:
    """Raise one UserError with every option in ``argv`` that cannot be composed with the others.

    ``argv`` is a command line without the program's name. Each value of a sweep is looked up, and
    ``--config-dir`` is followed; a command line with ``--config-path`` is left to Hydra.
    """
    flags = hydra_flags().parse_known_args(argv)[0]
    if flags.config_dir is not None and not Path(flags.config_dir).is_dir():
        raise UserError(
            f"--config-dir {flags.config_dir} is no folder: type the folder that holds your options"
        )
    if not flags.overrides or flags.config_path:
        return
    name = flags.config_name or config_name
    with open_configs(config_dir, flags.config_dir) as loader:
        typed, problems = _parse(flags.overrides, loader)
        places = [config_dir.parent, *([Path(flags.config_dir)] if flags.config_dir else [])]
        for override in typed:
            if override.key_or_group == "sweeps":
                problems += sweep_problems(str(override.value()), places)
        cfg, refused = _compose(name, typed, loader)
        many = flags.multirun or cfg.hydra.mode is RunMode.MULTIRUN
        if many and not refused:
            grid = cfg.hydra.sweeper.get("params") or {}
            swept, _ = _parse([f"{key}={value}" for key, value in grid.items()], loader)
            _, refused = _compose(name, [*swept, *typed], loader)
            problems += () if refused else study_problems(cfg, typed)
        problems += refused
        # Hydra makes the run directory before the config is checked.
        plain = {o.key_or_group: o.value() for o in typed if not o.is_sweep_override()}
        problems += unwritable_folders(plain)
        tree = cast(dict[str, Any], OmegaConf.to_container(cfg))
        accepted = [o for o in typed if str(o.input_line) in cfg.hydra.overrides.task]
        problems += _misspelt_additions(accepted, tree)
        problems += missing_needs(tree)
        problems += secret_problems({k: v for k, v in tree.items() if k != "hydra"})
        run_dir = plain.get("resume")
        if isinstance(run_dir, str) and not (Path(run_dir) / RESOLVED).is_file():
            problems.append(no_run(run_dir))
    raise_all(problems, "The command line")


@contextmanager
def open_configs(config_dir: Path, added: str | None) -> Iterator[ConfigLoader]:
    """Let ``hydra.compose`` find the options of ``config_dir``, and first those of ``added``."""
    with initialize_config_dir(str(config_dir.resolve()), version_base=VERSION_BASE):
        loader = GlobalHydra.instance().config_loader()
        if added:
            folder = f"file://{Path(added).absolute()}"
            # Hydra reads the search path again because every primary config adds to it.
            loader.get_search_path().prepend(provider="command-line", path=folder)
        yield loader


def _parse(lines: Sequence[str], loader: ConfigLoader) -> tuple[list[Override], list[str]]:
    """The options that can be read, and what is wrong with the others."""
    parser, typed, problems = OverridesParser.create(loader), list[Override](), list[str]()
    for line in lines:
        try:
            typed += parser.parse_overrides([line])
        except OverrideParseException:
            shown = line.encode(errors="backslashreplace").decode()
            key, sign, value = shown.partition("=")
            quoted = f"write '{key}=\"{value}\"' for a value with signs"
            wanted = quoted if sign else "write key=value"
            problems.append(f"{shown} cannot be read: {wanted}")
    return typed, problems


def _compose(
    name: str, typed: Sequence[Override], loader: ConfigLoader
) -> tuple[DictConfig, list[str]]:
    """The config of the options that go together, and what is wrong with the others."""
    options = [values for override in typed if (values := _values(override))]
    refused: list[tuple[str, Exception]] = []
    while True:
        first = [values[0] for values in options]
        # Each value of a sweep once, beside the first values of the other options.
        jobs = dict.fromkeys(
            (*first[:place], value, *first[place + 1 :])
            for place, values in enumerate(options)
            for value in values
        )
        errors = ((job, error) for job in jobs if (error := _error(name, job)))
        job, error = next(errors, ((), None))
        if error is None:
            break
        named = sorted(job, key=lambda x: f"'{x.partition('=')[0].lstrip('+~')}'" not in str(error))
        # Without the wrong option there is no error, or that of another option.
        rest = {line: [other for other in job if other != line] for line in named}
        others = (line for line in named if str(_error(name, rest[line])) != str(error))
        wrong = next(others, named[0])
        refused.append((wrong, error))
        # A choice that is not there leaves the others of a sweep; a key that is not there, none.
        choice = isinstance(error, MissingConfigException)
        left = [[x for x in o if x != wrong] if choice or wrong not in o else [] for o in options]
        options = [values for values in left if values]
    if (broken := _error(name, first)) is not None:
        raise UserError(f"the configs cannot be composed: {' '.join(str(broken).split())}")
    cfg = compose(name, first, return_hydra_config=True)
    return cfg, [_explain(line, reason, cfg, loader) for line, reason in refused]


def _values(override: Override) -> list[str]:
    """The option once for each value that a sweep gives it."""
    if override.is_discrete_sweep():
        key = override.get_key_element()
        return [f"{key}={value}" for value in override.sweep_string_iterator()]
    return [] if override.is_sweep_override() else [str(override.input_line)]


def _error(name: str, lines: Sequence[str]) -> Exception | None:
    try:
        compose(name, list(lines))
    except (HydraException, ValueError) as error:  # ValueError: a group that is set to null
        return error
    return None


def _explain(line: str, error: Exception, cfg: DictConfig, loader: ConfigLoader) -> str:
    """Hydra's reason, with the nearest right name where it is a name that is wrong."""
    if isinstance(error, MissingConfigException) and error.options is not None:
        group, _, option = str(error.missing_cfg_file).rpartition("/")
        if group == "hydra/launcher":
            return f"{line} needs packages that are not here: pip install 'groundrl[launchers]'"
        near = did_you_mean(option, error.options)
        return f"{group} has no option '{option}'{near} (options: {', '.join(error.options)})"
    path = getattr(error.__cause__, "full_key", None)
    if path is None:
        return f"{line}: {' '.join(str(error).split())}"
    tree = OmegaConf.to_container(cfg, resolve=False)
    assert isinstance(tree, dict)
    keys = [*tree, *leaves({str(key): value for key, value in tree.items()})]
    keys = [key for key in keys if not key.endswith("_")]  # of Hydra: _target_
    known = [k for k in keys if k != path and k.startswith("hydra.") == path.startswith("hydra.")]
    above, _, name = path.rpartition(".")
    below = [key for key in known if key.startswith(f"{above}.") and key.endswith(f".{name}")]
    same = (below or [key for key in known if key.endswith(f".{path}")])[:3]
    meant = same or get_close_matches(path, sorted({*known, *loader.list_groups("")}), n=1)
    if not meant:
        return f"{line}: there is no key '{path}'. To add it, type +{line}"
    near = f"did you mean {' or '.join(map(repr, meant))}? Type {line.replace(path, meant[0], 1)}"
    # What is added below a class may be an argument of it; elsewhere nothing reads it.
    add = f", or +{line} to add it" if same and above and above not in NODES else ""
    return f"{line}: there is no key '{path}'; {near}{add}"


def _misspelt_additions(typed: Sequence[Override], tree: Mapping[str, Any]) -> Iterator[str]:
    """Keys that ``+`` adds at the top, where nothing reads them, beside one of nearly that name."""
    plain = {o.key_or_group: o for o in typed if o.is_add() and o.package is None}
    known = sorted(str(key) for key in tree if key not in plain)
    for key, override in plain.items():
        if near := get_close_matches(key, known, n=1) if "/" not in key and key in tree else []:
            line = str(override.input_line)
            meant = line.removeprefix("+").replace(key, near[0], 1)
            yield f"{line}: nothing reads '{key}'; did you mean '{near[0]}'? Type {meant}"
