"""Conversations as LLaVA, ShareGPT, Qwen's fine-tuning code and TRL write them."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from groundrl.boxes import Frame
from groundrl.data.formats.base import RowContent, UnusableRowError
from groundrl.data.formats.table import listed, text_of
from groundrl.data.formats.target import make_content
from groundrl.data.formats.turns import Turn, join_turns, read_turns

ANSWERS = ("completion", "solution", "answer")
"""Columns that may answer a prompt."""
SYSTEM = "system message"
"""Told as left out: prompts here bring their own instruction."""


@dataclass(frozen=True, slots=True)
class ConversationRows:
    """``conversations`` of from and value, or ``messages`` of role and content, with ``image`` or
    ``images`` beside them or in the parts of a message."""

    form: ClassVar[str] = "conversations (LLaVA, ShareGPT) or messages (role and content)"

    def recognises(self, columns: Collection[str]) -> bool:
        """A column of turns, and no objects beside it: those are ms-swift's."""
        return bool({"conversations", "messages"} & set(columns)) and "objects" not in columns

    def roles(self, columns: Collection[str]) -> Mapping[str, str]:
        """Question and answer come from one column."""
        turns = "conversations" if "conversations" in columns else "messages"
        return {"question": turns, "answer": turns, **image_and_id(columns)}

    def read(self, row: Mapping[str, Any], frame: Frame | None) -> RowContent:
        """See ``RowFormat``."""
        column = self.roles(row.keys())["question"]
        return content_of_turns(read_turns(row[column], column), row, frame)


@dataclass(frozen=True, slots=True)
class PromptRows:
    """TRL's ``prompt`` and ``completion``, each text or a list of messages; for GRPO a ``solution``
    or an ``answer`` stands beside the prompt."""

    form: ClassVar[str] = "prompt and completion, or prompt and solution (TRL)"

    def recognises(self, columns: Collection[str]) -> bool:
        """A prompt with a completion; or with a solution, where nothing else asks."""
        answers = {"completion"} if {"problem", "question"} & set(columns) else set(ANSWERS)
        return "prompt" in columns and bool(answers & set(columns))

    def roles(self, columns: Collection[str]) -> Mapping[str, str]:
        """Answers come from the completion, or from solution or answer."""
        answer = next((name for name in ANSWERS if name in columns), ANSWERS[0])
        return {"question": "prompt", "answer": answer, **image_and_id(columns)}

    def read(self, row: Mapping[str, Any], frame: Frame | None) -> RowContent:
        """See ``RowFormat``."""
        turns = [
            *_said(row.get("prompt"), "prompt", "user"),
            *_said(row.get(self.roles(row.keys())["answer"]), "completion", "assistant"),
        ]
        return content_of_turns(turns, row, frame)


def _said(value: object, name: str, role: str) -> list[Turn]:
    if isinstance(value, list | tuple):
        return read_turns(value, name)
    return [Turn(role=role, text=text_of(value, name))]


def image_and_id(columns: Collection[str]) -> dict[str, str]:
    """The columns of these names, where they are there."""
    images = [name for name in ("image", "images") if name in columns]
    return {
        **({"image": images[0]} if images else {}),
        **({"id": "id"} if "id" in columns else {}),
    }


def content_of_turns(turns: list[Turn], row: Mapping[str, Any], frame: Frame | None) -> RowContent:
    """The content of a conversation with the images and the id of its row. Raises ValueError."""
    exchange = join_turns(turns)
    column = image_and_id(row.keys()).get("image", "images")
    images = (*listed(row.get(column)), *exchange.images)
    if not images:
        raise UnusableRowError("the row has no image")
    id = row.get("id")
    return make_content(
        question=exchange.question,
        answer=exchange.answer,
        images=images,
        frame=frame,
        id=None if id is None else text_of(id, "id"),
        left_out=(SYSTEM,) if exchange.has_system else (),
    )
