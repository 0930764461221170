"""A format of answer files: what was asked about an image, and the reply."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from groundrl.evaluation.answer_format import Clue, GivenAnswer


@dataclass(frozen=True, slots=True)
class ArenaAnswers:
    """Fields picture, asked, reply and truth."""

    title: str = "answers of our arena"
    sign: frozenset[str] = frozenset({"picture", "asked", "reply"})

    def read(self, row: Mapping[str, Any]) -> GivenAnswer:
        """Raises ValueError for a row without a reply."""
        if not isinstance(row["reply"], str):
            raise ValueError(f"reply must be text, got {row['reply']!r:.40}")
        return GivenAnswer(
            text=row["reply"],
            prompt=row["asked"],
            truth=row.get("truth"),
            clue=Clue(image=row["picture"]),
        )
