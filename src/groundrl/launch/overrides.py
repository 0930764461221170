"""Tells every wrong option of a command line at once; Hydra stops at the first one.

Composes the config as Hydra will, imports no target, and costs nothing without options.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from hydra import initialize_config_dir
from hydra._internal.utils import get_args_parser
from hydra.core.config_loader import ConfigLoader
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException, OverrideParseException
from hydra.types import RunMode
from omegaconf import OmegaConf

from groundrl.config.crosschecks import unwritable_folders
from groundrl.config.overlays import leaves
from groundrl.config.problems import did_you_mean, raise_all
from groundrl.files import printable
from groundrl.launch.resolved import RESOLVED, no_run

UNMATCHED = re.compile(r"Could not override '([^'@]+)'\. No match in the defaults list")
"""How Hydra refuses a choice in a group that nothing asks for."""
VERSION_BASE = "1.3"
"""Of Hydra's behaviour; ``hydra.main`` of the scripts takes the same."""


def explain_overrides(argv: Sequence[str], config_dir: Path, config_name: str) -> None:
    """Raise one UserError with every unknown key and option in ``argv``, each with a suggestion.

    ``argv`` is a command line without the program's name. Sweeps are followed: each value of a
    swept group is looked up, and keys must exist in every job. With ``--config-dir``,
    ``--config-path`` or ``hydra.searchpath`` the command line is left to Hydra.
    """
    args, _ = get_args_parser().parse_known_args(argv)
    elsewhere = args.config_dir or args.config_path or args.experimental_rerun
    if not args.overrides or elsewhere or args.shell_completion:
        return
    with initialize_config_dir(str(config_dir.resolve()), version_base=VERSION_BASE):
        loader = GlobalHydra.instance().config_loader()
        typed, problems = _parse(args.overrides, loader)
        if any(override.key_or_group == "hydra.searchpath" for override in typed):
            return
        command = _CommandLine(loader, args.config_name or config_name)
        problems += command.check(typed)
        swept = command.swept_by_file(typed) if args.multirun and not problems else []
        problems += command.check([*swept, *typed]) if swept else []
        # Hydra makes the run directory before anybody can say that it cannot be made.
        plain = {o.key_or_group: o.value() for o in typed if not o.is_sweep_override()}
        problems += unwritable_folders(plain)
        problems += _absent_run(plain)
    raise_all(problems, "The command line")


def _absent_run(typed: Mapping[str, object]) -> Iterator[str]:
    run_dir = typed.get("resume")
    if isinstance(run_dir, str) and not (Path(run_dir) / RESOLVED).is_file():
        yield no_run(run_dir)


def _parse(lines: Sequence[str], loader: ConfigLoader) -> tuple[list[Override], list[str]]:
    parser = OverridesParser.create(loader)
    typed: list[Override] = []
    problems: list[str] = []
    for line in lines:
        if any("\udc80" <= letter <= "\udcff" for letter in line):
            problems.append(
                f"{printable(line)} holds bytes that are no UTF-8, which Hydra cannot read: make a "
                "link with a plain name, ln -s <folder> images, and type images=images"
            )
            continue
        try:
            typed += parser.parse_overrides([line])
        except OverrideParseException as error:
            quoted = ", or 'key=\"value\"' for one with signs" if "=" in line else ""
            reason = "" if "=" not in line else f" ({str(error).splitlines()[0]})"
            problems.append(f"{line} cannot be read{reason}: write key=value{quoted}")
    return typed, problems


class _CommandLine:
    """Looks options up in one config directory."""

    def __init__(self, loader: ConfigLoader, config_name: str) -> None:
        self.loader = loader
        self.config_name = config_name
        self.composed: dict[tuple[str, ...], dict[str, Any]] = {}

    def check(self, typed: list[Override]) -> list[str]:
        """Everything that is wrong with the options."""
        groups = [o for o in typed if self._is_group(o)]
        keys = [o for o in typed if not self._is_group(o)]
        problems: list[str] = []
        known = []
        for override in groups:
            wrong = self._unknown_choices(override)
            problems += wrong
            known += [] if wrong else [override]
        known, refused = self._composable(known)
        problems += refused
        trees = [self._compose(lines) for lines in _jobs(known)]
        for override in keys:
            # A key may exist under one choice of a sweep only; the first job that lacks it counts.
            found = [self._unknown_key(override, tree, keys) for tree in trees]
            problems += [problem for problem in found if problem][:1]
        return problems

    def swept_by_file(self, typed: list[Override]) -> list[Override]:
        """The overrides that a sweep file (``sweeps=<table>``) brings along."""
        groups = [override for override in typed if self._is_group(override)]
        tree = self._compose(_jobs(groups)[0])
        params = tree["hydra"]["sweeper"].get("params") or {}
        lines = [f"{key}={value}" for key, value in params.items()]
        return OverridesParser.create(self.loader).parse_overrides(lines)

    def _options(self, group: str) -> list[str]:
        return self.loader.get_group_options(group, config_name=self.config_name)

    def _is_group(self, override: Override) -> bool:
        return bool(self._options(override.key_or_group)) and not isinstance(override.value(), dict)

    def _compose(self, lines: Sequence[str]) -> dict[str, Any]:
        """The config as plain values, interpolations unresolved. Raises HydraException."""
        if tuple(lines) not in self.composed:
            cfg = self.loader.load_configuration(
                self.config_name,
                list(lines),
                # Groups that still have to be chosen are none of our business.
                run_mode=RunMode.MULTIRUN,
                validate_sweep_overrides=False,
            )
            tree = OmegaConf.to_container(cfg, resolve=False)
            assert isinstance(tree, dict)
            self.composed[tuple(lines)] = {str(key): value for key, value in tree.items()}
        return self.composed[tuple(lines)]

    def _unknown_choices(self, override: Override) -> list[str]:
        if override.is_delete():
            return []
        group, problems = override.key_or_group, []
        for name in _values(override):
            folder, _, option = f"{group}/{name}".rpartition("/")
            options = self._options(folder)
            if name is None:
                problems.append(f"{override.input_line}: to choose nothing, type ~{group}")
            elif option not in options:
                near = did_you_mean(option, options)
                problems.append(
                    f"{group} has no option '{name}'{near} (options: {', '.join(options)})"
                )
        return problems

    def _composable(self, groups: list[Override]) -> tuple[list[Override], list[str]]:
        """The group choices that compose together, and what Hydra says about the others."""
        if self._refusal(groups) is None:
            return groups, []
        accepted: list[Override] = []
        waiting, reasons = list(groups), list[str]()
        while waiting:
            # A choice may only exist once another one is made, so the refused are tried again.
            refused = [o for o in waiting if not self._accept(o, accepted)]
            if len(refused) == len(waiting):
                reasons = [f"{o.input_line}: {self._reason(o, accepted)}" for o in refused]
                break
            waiting = refused
        return accepted, reasons

    def _accept(self, override: Override, accepted: list[Override]) -> bool:
        if self._refusal([*accepted, override]) is not None:
            return False
        accepted.append(override)
        return True

    def _reason(self, override: Override, accepted: list[Override]) -> str:
        """Why a choice is refused beside those that were accepted."""
        told = self._refusal([*accepted, override]) or ""
        unmatched = UNMATCHED.search(told)
        if unmatched is None:
            return told
        group = unmatched[1]
        if group == override.key_or_group:
            return "nothing takes it here; drop it"
        return f"nothing takes {group}= beside it; drop one of the two"

    def _refusal(self, groups: list[Override]) -> str | None:
        """Hydra's complaint about these choices, on one line."""
        try:
            for lines in _jobs(groups):
                self._compose(lines)
        except HydraException as error:
            return " ".join(str(error).split())
        return None

    def _unknown_key(
        self, override: Override, tree: dict[str, Any], keys: list[Override]
    ) -> str | None:
        key = override.key_or_group
        line = override.input_line
        if override.package is not None or "/" in key:
            near = did_you_mean(key, self._groups())
            return f"{line}: there is no config group '{key}'{near}"
        if override.is_force_add():
            return None
        value = override.value()
        if override.is_add():
            exists = _lookup(tree, key) is not None and not isinstance(value, dict | list)
            return f"{line}: {key} is there already; type {str(line)[1:]}" if exists else None
        for path in leaves({key: value}):
            if not _has(tree, path) and not _was_added(path, keys):
                problem = f"{line}: there is no key '{path}'{self._near(path, tree) or '.'}"
                return problem if override.is_delete() else f"{problem} To add it, type +{line}"
        return None

    def _groups(self) -> list[str]:
        top = [group for group in self.loader.list_groups("") if group != "hydra"]
        return top + [f"{group}/{sub}" for group in top for sub in self.loader.list_groups(group)]

    def _near(self, path: str, tree: dict[str, Any]) -> str:
        """Suggests a sibling, then the same name elsewhere, then anything that looks alike."""
        parent, _, leaf = path.rpartition(".")
        siblings = _lookup(tree, parent) if parent else None
        if isinstance(siblings, dict):
            near = get_close_matches(leaf, map(str, siblings), n=1)
            return f"; did you mean '{parent}.{near[0]}'?" if near else ""
        application = {key: value for key, value in tree.items() if key != "hydra"}
        known = leaves(application)
        namesakes = [f"'{key}'" for key in known if key.endswith(f".{path}")]
        if namesakes:
            return f"; did you mean {' or '.join(namesakes[:3])}?"
        return did_you_mean(path, [*application, *known, *self._groups()])


def _values(override: Override) -> list[Any]:
    """Each single choice that an override makes, over all jobs of a sweep."""
    if override.is_discrete_sweep():
        return [value.strip("'\"") for value in override.sweep_string_iterator()]
    value = override.value()
    return value if isinstance(value, list) else [value]


def _jobs(groups: list[Override]) -> list[list[str]]:
    """Command lines that together make every choice at least once; one without sweeps."""
    lines = [
        [f"{o.get_key_element()}={value}" for value in o.sweep_string_iterator()]
        if o.is_discrete_sweep()
        else [str(o.input_line)]
        for o in groups
    ]
    first = [choices[0] for choices in lines]
    others = [
        [*first[:place], choice, *first[place + 1 :]]
        for place, choices in enumerate(lines)
        for choice in choices[1:]
    ]
    return [first, *others]


def _lookup(tree: object, path: str) -> Any:
    """The value at a dotted path; None where there is none."""
    for part in path.split("."):
        if isinstance(tree, dict) and part in tree:
            tree = tree[part]
        elif isinstance(tree, list) and part.isdigit() and int(part) < len(tree):
            tree = tree[int(part)]
        else:
            return None
    return tree


def _has(tree: dict[str, Any], path: str) -> bool:
    parent, _, leaf = path.rpartition(".")
    holder = _lookup(tree, parent) if parent else tree
    if isinstance(holder, dict):
        return leaf in holder
    # What an interpolation stands for is known to Hydra only.
    interpolated = isinstance(holder, str) and holder.startswith("${")
    return interpolated or _lookup(holder, leaf) is not None


def _was_added(path: str, keys: list[Override]) -> bool:
    added = [o.key_or_group for o in keys if o.is_add() or o.is_force_add()]
    return any(path == key or path.startswith(f"{key}.") for key in added)
