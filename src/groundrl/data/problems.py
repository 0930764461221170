"""All problems of a data set in one error."""

import logging
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

from groundrl.errors import UserError

logger = logging.getLogger(__name__)

Treatment = Literal["error", "skip"]
"""What is done with rows of some kind: they are problems, or they are left out and logged."""
MAX_SHOWN: Final = 20
"""Problems printed in full; the others are only counted."""


@dataclass(slots=True)
class Problems:
    """Collects the problems that reading a data set finds, for one error at the end."""

    source: str
    """What is being read, for the first line of the error: "YOLO data set cats/, split train"."""
    skip_unreadable: bool = False
    """Images that cannot be read are left out and logged, instead of being problems."""
    skip_option: str = "data.skip_unreadable=true"
    """What to type for that; empty where nothing does it."""
    found: list[str] = field(default_factory=list)
    notes: dict[str, list[str]] = field(default_factory=dict)
    """Oddities of published data sets that were left out, each with its places; they are logged."""
    remarks: list[str] = field(default_factory=list)
    """What else the user should know; they are logged."""
    unread: int = 0
    """Images and rows that could not be read."""

    def add(self, where: str | Path, what: str) -> None:
        """Add a problem; ``where`` is a file, or "file:line"."""
        self.found.append(f"{where}: {what}")

    def note(self, where: str | Path, what: str) -> None:
        """Add something that was left out without harm."""
        self.notes.setdefault(what, []).append(str(where))

    def remark(self, what: str) -> None:
        """Add something about the whole data set that is no problem."""
        self.remarks.append(what)

    def unreadable(self, where: str | Path, why: str) -> None:
        """Add an image that is missing or cannot be decoded, or a damaged row; a note with
        ``skip_unreadable``."""
        self.unread += 1
        (self.note if self.skip_unreadable else self.add)(where, why)

    def raise_if_any(self) -> None:
        """Log notes and remarks. Raises UserError with the first 20 problems and the number of
        all."""
        if self.notes:
            shown = [_describe(what, places) for what, places in self.notes.items()]
            if len(shown) > MAX_SHOWN:
                rest = [*self.notes.values()][MAX_SHOWN:]
                shown[MAX_SHOWN:] = [f"... and {sum(map(len, rest))} more"]
            count = sum(map(len, self.notes.values()))
            logger.warning("%s: left out (%d)\n  %s", self.source, count, "\n  ".join(shown))
        for remark in self.remarks:
            logger.warning("%s: %s", self.source, remark)
        if not self.found:
            return
        count = len(self.found)
        lines = [f"{self.source} has {count} problem{'s' if count > 1 else ''}:"]
        lines += [f"  {line}" for line in self.found[:MAX_SHOWN]]
        if count > MAX_SHOWN:
            lines.append(f"  ... and {count - MAX_SHOWN} more")
        if self.unread and self.skip_option and not self.skip_unreadable:
            lines.append(f"{self.skip_option} leaves out {self.unread} that cannot be read.")
        lines.append("Correct or remove what is named above; nothing is skipped silently.")
        raise UserError("\n".join(lines))


def _describe(what: str, places: list[str]) -> str:
    more = f" (and {len(places) - 1} more places)" if len(places) > 1 else ""
    return f"{places[0]}: {what}{more}"
