"""What a config may name that another person may have written: a run directory, a sweep.

A ``_target_`` is code that runs with the values beside it. It may come from the user's own options
(``conf/``, ``--config-dir``, the command line), and from other files only where those name it, too.
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig

from groundrl.config.problems import join, raise_all
from groundrl.errors import UserError
from groundrl.files import read_yaml

TARGET = re.compile(r"_target_\s*[:=]\s*[\"']?([\w.]+)")
CONF = Path(__file__).parents[3] / "conf"
"""Of the checkout, for commands that take no options of Hydra."""
OWN = ("main", "command-line")
"""Hydra's names for ``conf/`` and ``--config-dir``."""


def check_foreign(node: object, file: str) -> None:
    """Raise UserError where ``node``, read from ``file``, names a class that the user's own options
    do not name, or refers to other values."""
    known = known_targets()
    problems = []
    for path, value in leaves_of(node):
        if "_target_" in path.split(".") and value not in known:
            problems.append(
                f"{path} is {value}, which none of your configs names, so nothing of it was run. "
                "If you trust it, type --config-dir <a folder with an option that names it>"
            )
        elif "${" in value:
            problems.append(f"{path} is {value!r:.80}, but a finished run has plain values only")
    raise_all(problems, file)


def known_targets() -> frozenset[str]:
    """Every ``_target_`` of the user's option files and of the command line."""
    folders = [CONF]
    if GlobalHydra.instance().is_initialized():
        elements = GlobalHydra.instance().config_loader().get_search_path().get_path()
        folders = [Path(str(e.path).removeprefix("file://")) for e in elements if e.provider in OWN]
    lines = [*HydraConfig.get().overrides.task] if HydraConfig.initialized() else []
    lines += [file.read_text("utf-8") for folder in folders for file in folder.rglob("*.yaml")]
    return frozenset(name for line in lines for name in TARGET.findall(line))


def leaves_of(tree: object, path: str = "") -> Iterator[tuple[str, str]]:
    """Path and text of every value, keys of lists being numbers."""
    if isinstance(tree, dict):
        for key, value in tree.items():
            yield from leaves_of(value, join(path, str(key)))
    elif isinstance(tree, list):
        for index, value in enumerate(tree):
            yield from leaves_of(value, join(path, index))
    else:
        yield path, str(tree)


def sweep_problems(chosen: str, folders: Sequence[Path]) -> Iterator[str]:
    """A sweep file that names a class: Hydra would build some of them before any check."""
    for folder in folders:
        file = folder / "sweeps" / f"{chosen}.yaml"
        if file.is_file() and any("_target_" in text for text in texts_of(load_yaml(file))):
            yield (
                f"sweeps={chosen} names a class (_target_ in {file}), but a sweep only chooses "
                "among options: put it into an option below --config-dir <folder>"
            )


def texts_of(tree: object) -> Iterator[str]:
    """Every key and every text."""
    for path, text in leaves_of(tree):
        yield path
        yield text


def load_yaml(file: Path) -> object:
    """The content; None where it is no YAML, which Hydra will say."""
    try:
        return read_yaml(file)
    except UserError:
        return None
