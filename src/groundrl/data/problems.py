"""All problems of a data set in one error."""

import logging
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from groundrl.errors import UserError

logger = logging.getLogger(__name__)

MAX_SHOWN: Final = 20
"""Problems printed in full; the others are only counted."""


@dataclass(slots=True)
class Problems:
    """Collects the problems that reading a data set finds, for one error at the end."""

    source: str
    """What is being read, for the first line of the error: "YOLO data set cats/, split train"."""
    skip_unreadable: bool = False
    """Images that cannot be read are left out and logged, instead of being problems."""
    found: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    """Oddities of published data sets that were left out; they are logged."""

    def add(self, where: str | Path, what: str) -> None:
        """Add a problem; ``where`` is a file, or "file:line"."""
        self.found.append(f"{where}: {what}")

    def note(self, where: str | Path, what: str) -> None:
        """Add something that was left out without harm."""
        self.notes.append(f"{where}: {what}")

    def unreadable(self, image: Path, why: str) -> None:
        """Add an image that is missing or cannot be decoded; a note with ``skip_unreadable``."""
        (self.note if self.skip_unreadable else self.add)(image, why)

    def raise_if_any(self) -> None:
        """Log the notes. Raises UserError with the first 20 problems and the number of all."""
        if self.notes:
            shown = self.notes[:MAX_SHOWN]
            if len(self.notes) > MAX_SHOWN:
                shown.append(f"... and {len(self.notes) - MAX_SHOWN} more")
            logger.warning("%s: left out\n  %s", self.source, "\n  ".join(shown))
        if not self.found:
            return
        count = len(self.found)
        lines = [f"{self.source} has {count} problem{'s' if count > 1 else ''}:"]
        lines += [f"  {line}" for line in self.found[:MAX_SHOWN]]
        if count > MAX_SHOWN:
            lines.append(f"  ... and {count - MAX_SHOWN} more")
        lines.append("Correct or remove what is named above; nothing is skipped silently.")
        raise UserError("\n".join(lines))
