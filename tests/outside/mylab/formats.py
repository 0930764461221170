"""A row format: a caption, and the words in it that are asked for."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from groundrl.boxes import Frame
from groundrl.data.formats.base import RowContent


@dataclass(frozen=True, slots=True)
class ClozeRows:
    """Columns picture, caption and gap: "A ___ on a sofa", "cat"."""

    form: ClassVar[str] = "captions with a gap (picture, caption, gap)"

    def recognises(self, columns: Collection[str]) -> bool:
        """Whether rows have these columns."""
        return {"picture", "caption", "gap"} <= set(columns)

    def roles(self, columns: Collection[str]) -> Mapping[str, str]:
        """What is told about a table."""
        return {"question": "caption", "answer": "gap", "image": "picture"}

    def read(self, row: Mapping[str, Any], frame: Frame | None) -> RowContent:
        """One question. Raises ValueError for a caption without a gap."""
        if "___" not in row["caption"]:
            raise ValueError(f"no ___ in the caption {row['caption']!r}")
        return RowContent(
            question=f"Which word is missing? {row['caption']}",
            answers=(row["gap"],),
            images=(row["picture"],),
        )
