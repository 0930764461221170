"""What the figures of a benchmark mean, as the benchmarks themselves declare it."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from groundrl.errors import UserError
from groundrl.files import read_json, write_json
from groundrl.json_rows import Flag, Number, Text, validate

FILE = "figures.json"
"""In the run directory of an evaluation: benchmark -> figure -> its info."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FigureInfo:
    """What a figure means, and how tables and pages treat it."""

    meaning: Text
    quoted: Flag = False
    """Whether a benchmark is quoted by this figure: it stands in the table and in the plot."""
    score: Text = ""
    """The score of single answers that this figure is the mean of; empty: of none."""
    alarm_from: Number | None = None
    """From this value on the figures of the benchmark are doubtful; None: never."""
    alarm: Text = ""
    """What to print then, behind the value in per cent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _InfosFile:
    """For the paths in messages."""

    figures: dict[Text, dict[Text, FigureInfo]]


FigureInfos = Mapping[str, FigureInfo]
"""By the name of the figure: its last part, ``acc`` of ``count/acc``."""


def write_infos(run_dir: Path, infos: Mapping[str, FigureInfos]) -> None:
    """Write ``figures.json``; ``infos`` by benchmark."""
    content = {
        name: {figure: asdict(info) for figure, info in own.items()} for name, own in infos.items()
    }
    write_json(run_dir / FILE, content)


def read_infos(run_dir: Path) -> dict[str, dict[str, FigureInfo]]:
    """Infos by benchmark; empty where there is no ``figures.json``. Raises UserError where it is
    damaged or of another make."""
    path = run_dir / FILE
    content = read_json(path) if path.is_file() else {}
    try:
        return validate(_InfosFile, {"figures": content}).figures
    except ValueError as error:
        raise UserError(f"{path}: {error}. Evaluate again, or restore the file") from error
