"""``rankings:`` of a sweep file: which of several systems answers each question best.

ViGoR (arXiv 2402.06118) has people order the captions that four systems write of an image, and
reports the mean rank of each system. Here a score of the answers orders them.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from pydantic import ConfigDict

from groundrl.errors import UserError
from groundrl.json_rows import Text, validate
from groundrl.studies.conclusions import matching_rows


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranking:
    """Systems whose answers are ranked: the last stage of each setting, and what they started
    from."""

    __pydantic_config__ = ConfigDict(extra="forbid")
    score: Text
    """Of a held-out answer, in its record; the system with the least has rank 1."""
    base: Text
    """The stage that all settings share; its answers are those of the first setting."""
    settings: tuple[Text, ...] = ()
    """Rows, named as in a conclusion; empty: all rows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _SweepFile:
    """For the paths in messages."""

    rankings: dict[Text, Ranking]


def read_rankings(value: object) -> dict[str, Ranking]:
    """Metric -> ranking, of a sweep file. Raises UserError with every problem of their form."""
    try:
        return validate(_SweepFile, {"rankings": value}).rankings
    except ValueError as error:
        raise UserError(f"{error}. A ranking has score, base and perhaps settings") from None


def ranking_problems(
    rankings: Mapping[str, Ranking], rows: Sequence[str], stages: Sequence[str]
) -> Iterator[str]:
    """What rankings name that the grid has not; ``rows``: names of its settings."""
    for name, ranking in rankings.items():
        for setting in ranking.settings:
            found = matching_rows(setting, rows)
            if len(found) != 1:
                wrong = "fits several rows" if found else "is no row"
                yield (
                    f"rankings.{name}.settings: {setting!r} {wrong} of the grid, which has "
                    f"{', '.join(rows)}"
                )
        if ranking.base not in stages:
            yield (
                f"rankings.{name}.base: there is no stage {ranking.base!r}, expected one of "
                f"{', '.join(stages)}"
            )
