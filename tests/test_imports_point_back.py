"""The architecture: imports point back along data -> report, and each library has its rooms."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "src" / "groundrl"

ORDER = (
    {
        "errors",
        "api_keys",
        "cache_key",
        "figures",
        "config_node",
        "files",
        "json_rows",
        "metrics",
        "running",
        "boxes",
        "colors",
        "control_tokens",
        "images",
        "records",
        "relations",
        "intervals",
        "language",
        "chat",
    },
    {"grammar"},
    {"questions"},
    {"world"},
    {"data"},
    {"prompts"},
    {"policy"},
    {"rollout"},
    {"answers"},
    {"published"},
    # Before what it shows the results of: they call it.
    {"report", "feedback"},
    {"watch"},
    {"convert"},
    {"detectors"},
    {"rewards"},
    {"advantages", "losses"},
    {"synthesis"},
    {"evaluation"},
    {"studies"},
    {"export", "ask"},
    {"stages"},
    {"pretraining"},
    {"config"},
    {"doctor"},
    {"launch"},
)
"""Rooms of the package, first to last; those on one line may use each other."""

ROOMS_OF = {
    "lightning": ("stages/", "pretraining/", "data/"),
    "transformers": ("chat/", "policy/", "rollout/", "pretraining/", "detectors/"),
    "peft": ("policy/", "rollout/", "pretraining/"),
    "jinja2": ("report/",),
    "datasets": ("data/",),
    "vllm": ("chat/", "policy/", "rollout/"),
    "hydra": ("config/", "launch/"),
    "omegaconf": ("config/", "launch/"),
}
"""Libraries that only these files know."""

MAX_LINES = 300

FILES = sorted(PACKAGE.rglob("*.py"))


def inside(file: Path) -> str:
    """``policy/policy.py``."""
    return file.relative_to(PACKAGE).as_posix()


def room(file: Path) -> str:
    """The first folder or the file itself: ``policy``."""
    return file.relative_to(PACKAGE).with_suffix("").parts[0]


def imported(file: Path) -> Iterator[str]:
    """Dotted names of everything a file imports, at its top or inside a function."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{inside(file)}: write the import from groundrl on"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def place(name: str) -> int:
    """Position of a room in ORDER."""
    for index, rooms in enumerate(ORDER):
        if name in rooms:
            return index
    raise AssertionError(f"groundrl.{name} has no place in ORDER yet")


@pytest.mark.parametrize("file", FILES, ids=inside)
def test_imports_point_back(file: Path) -> None:
    if file.name == "__main__.py":
        return  # a command starts at the end of the line
    if file.parent == PACKAGE and file.name == "__init__.py":
        assert not list(imported(file))
        return
    used = {name.split(".")[1] for name in imported(file) if name.startswith("groundrl.")}
    assert {name for name in used if place(name) > place(room(file))} == set()


@pytest.mark.parametrize("file", FILES, ids=inside)
def test_a_library_is_known_in_its_rooms_only(file: Path) -> None:
    libraries = {name.split(".")[0] for name in imported(file)} & ROOMS_OF.keys()
    assert {lib for lib in libraries if not inside(file).startswith(ROOMS_OF[lib])} == set()


@pytest.mark.slow
@pytest.mark.parametrize(
    "module", ["groundrl", "groundrl.config.check", "groundrl.launch.overrides"]
)
def test_a_command_line_is_read_without_torch(module: str) -> None:
    code = f"import sys, {module}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_every_file_can_be_read_in_one_sitting() -> None:
    files = [*FILES, *ROOT.glob("*.py"), *(ROOT / "tests").rglob("*.py")]
    lengths = {str(f.relative_to(ROOT)): len(f.read_text().splitlines()) for f in files}
    assert {name: length for name, length in lengths.items() if length > MAX_LINES} == {}
