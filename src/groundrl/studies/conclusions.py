"""``conclusions:`` of a sweep file: what a study claims about rows of its table."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from pydantic import ConfigDict

from groundrl.errors import UserError
from groundrl.json_rows import Text, validate


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """What is compared: a row of the table at a stage of its runs."""

    __pydantic_config__ = ConfigDict(extra="forbid")
    setting: Text = ""
    """The row, by its name or by those parts of it that no other row has; may be left out where
    there is only one row."""
    stage: Text = ""
    """A key of ``metrics.json``; left out: the last stage."""

    @property
    def label(self) -> str:
        """``[iou+acc, grpo]``."""
        return f"[{', '.join(part for part in (self.setting, self.stage or 'last stage') if part)}]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Conclusion:
    """A claim about one metric: ``of`` is higher, or lower, than ``against``."""

    __pydantic_config__ = ConfigDict(extra="forbid")
    claim: Text
    """One sentence."""
    source: Text
    """Who published it."""
    metric: Text
    """A held-out metric: ``tabletop/acc``."""
    of: Side
    against: Side
    expected: Literal["higher", "lower"]


@dataclass(frozen=True, slots=True, kw_only=True)
class _SweepFile:
    """For the paths in messages."""

    conclusions: tuple[Conclusion, ...]


def read_conclusions(value: object) -> tuple[Conclusion, ...]:
    """The conclusions of a sweep file. Raises UserError with every problem of their form."""
    try:
        return validate(_SweepFile, {"conclusions": value}).conclusions
    except ValueError as error:
        raise UserError(
            f"{error}. A conclusion has claim, source, metric, of, against and expected (higher or "
            "lower); of and against have setting and stage"
        ) from None


def conclusion_problems(
    conclusions: Sequence[Conclusion], rows: Sequence[str], stages: Collection[str]
) -> Iterator[str]:
    """What conclusions name that the grid has not; ``rows``: names of its settings."""
    for number, conclusion in enumerate(conclusions):
        where = f"conclusions[{number}]"
        for name, side in (("of", conclusion.of), ("against", conclusion.against)):
            found = matching_rows(side.setting, rows)
            if len(found) != 1:
                wrong = "fits several rows" if found else "is no row"
                yield (
                    f"{where}.{name}.setting: {side.setting!r} {wrong} of the grid, which has "
                    f"{', '.join(rows)}"
                )
            if side.stage and side.stage not in stages:
                yield (
                    f"{where}.{name}.stage: there is no stage {side.stage!r}, expected one of "
                    f"{', '.join(stages)}"
                )
        if conclusion.of == conclusion.against:
            yield f"{where}: of and against are the same, so there is nothing to compare"


def matching_rows(setting: str, rows: Collection[str]) -> list[str]:
    """The row of that name, or else every row whose name has all of its parts.

    An option that is typed beside a sweep file stands in the names of all rows:
    ``rationale=look_first`` is then ``acc/rationale=look_first``.
    """
    if setting in rows:
        return [setting]
    parts = {part for part in setting.split("/") if part}
    return [row for row in rows if parts <= {*row.split("/")}]
