"""What a file of answers says of each, and the interface of the formats that read such files."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol, runtime_checkable

IMAGE_SUFFIXES: Final = (".jpg", ".jpeg", ".png")
POPE_PARTS: Final = frozenset({"random", "popular", "adversarial"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Clue:
    """What a file of others says of the question that it answers, beside its wording."""

    id: str | None = None
    image: str | None = None
    """Name of its file, with or without folders and suffix."""
    part: str | None = None
    """Part of a benchmark, where a file holds several: POPE's three."""

    @classmethod
    def of(cls, key: str | None, image: str | None = None, part: str | None = None) -> "Clue":
        """Of an id, which may be the name of an image (MME)."""
        if key is not None and key.lower().endswith(IMAGE_SUFFIXES):
            key, image = None, image or key
        return cls(id=key, image=image, part=part if part in POPE_PARTS else None)


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenAnswer:
    """What a file says of one answer."""

    text: str
    prompt: str | None = None
    options: tuple[str, ...] = ()
    truth: str | None = None
    clue: Clue = Clue()


@runtime_checkable
class AnswerFormat(Protocol):
    """How a tool writes the rows of its files. A class with these three members adds one."""

    @property
    def title(self) -> str:
        """What its files are, for messages."""
        ...

    @property
    def sign(self) -> frozenset[str]:
        """Fields by which a row is recognised."""
        ...

    def read(self, row: Mapping[str, Any]) -> GivenAnswer:
        """The answer in a row. Raises ValueError that says what is wrong with it."""
        ...
