"""Conversations: turns of a user and an assistant, of which the last answer is learned."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

ROLES: Final = {
    **dict.fromkeys(("human", "user"), "user"),
    **dict.fromkeys(("gpt", "assistant", "model"), "assistant"),
    "system": "system",
}
"""Names of speakers -> the role that they have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """What one speaker says."""

    role: str
    """user, assistant or system."""
    text: str
    images: tuple[object, ...] = ()
    """Images that stand in the turn itself; a place without one is marked in ``text``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """A conversation as a question and its answer."""

    question: str
    """Of several turns each is a line that names its speaker."""
    answer: str
    images: tuple[object, ...]
    has_system: bool


def read_turns(value: object, name: str) -> list[Turn]:
    """Turns from lists of from and value, or of role and content. Raises ValueError."""
    if not isinstance(value, list | tuple) or not value:
        raise ValueError(f"{name} must be a list of turns, got {value!r:.60}")
    return [_read_turn(turn, f"{name}[{index}]") for index, turn in enumerate(value)]


def _read_turn(turn: object, where: str) -> Turn:
    if not isinstance(turn, Mapping):
        raise ValueError(f"{where} must be an object, got {turn!r:.60}")
    speaker = turn.get("from", turn.get("role"))
    if not isinstance(speaker, str) or speaker not in ROLES:
        raise ValueError(
            f"{where}: unknown speaker {speaker!r:.60}; expected one of {', '.join(ROLES)}"
        )
    content = turn.get("value", turn.get("content"))
    if isinstance(content, str):
        return Turn(role=ROLES[speaker], text=content)
    if not isinstance(content, list | tuple):
        raise ValueError(f"{where} must hold text or a list of parts, got {content!r:.60}")
    texts, images = [], []
    for part in content:
        text, image = _read_part(part, where)
        texts.append(text)
        images += image
    return Turn(role=ROLES[speaker], text="".join(texts), images=tuple(images))


def _read_part(part: Any, where: str) -> tuple[str, list[object]]:
    """Text of a part, and its image; a place for an image that stands elsewhere is a mark."""
    match part:
        case {"type": "text", "text": str(text)}:
            return text, []
        case {"type": "image", "image": image} if image is not None:
            return "", [image]
        case {"type": "image"}:
            return "<image>", []
        case {"type": "image_url", "image_url": {"url": str(url)} | str(url)}:
            return "", [url]
    raise ValueError(f"{where}: expected a part of type text or image, got {part!r:.60}")


def join_turns(turns: Sequence[Turn]) -> Exchange:
    """The last answer, and everything before it as the question. Raises ValueError for a
    conversation that does not end with an answer."""
    spoken = [turn for turn in turns if turn.role != "system"]
    if not spoken or spoken[-1].role != "assistant" or not spoken[-1].text.strip():
        raise ValueError("the conversation does not end with an answer")
    asked = spoken[:-1]
    if not any(turn.role == "user" for turn in asked):
        raise ValueError("the conversation has no question")
    if len(asked) == 1:
        question = asked[0].text
    else:
        question = "\n".join(f"{turn.role.capitalize()}: {turn.text.strip()}" for turn in asked)
    return Exchange(
        question=question,
        answer=spoken[-1].text,
        images=tuple(image for turn in asked for image in turn.images),
        has_system=len(spoken) < len(turns),
    )
