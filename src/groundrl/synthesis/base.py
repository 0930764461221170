"""What stages are made of: whoever finds regions, describes them and checks the descriptions.

Each has a name, what its answers depend on: they are kept under it and used again under no other.
Threads may call all of them at once. One that computes in this process says with ``batch_size``
how much it likes to be asked together, and is then called by one thread at a time.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from groundrl.chat.base import ShownImage
from groundrl.synthesis.records import Caption, Crop, Picture, Region, Verdict


@runtime_checkable
class InBatches(Protocol):
    """A detector, teacher or verifier that is fastest with several inputs in one call."""

    @property
    def batch_size(self) -> int: ...


@runtime_checkable
class PictureSource(Protocol):
    """The pictures of a run, in an order of their own; made one by one, so that there may be more
    of them than fit into memory."""

    @property
    def name(self) -> str:
        """Of the data set, for provenance."""
        ...

    @property
    def left_out(self) -> Mapping[str, str]:
        """Why files are no pictures, by their paths; complete when all pictures were asked for."""
        ...

    def __len__(self) -> int: ...
    def __iter__(self) -> Iterator[Picture]: ...


class Unlabelled(Exception):
    """Nobody has looked at a picture: that it has no boxes does not say it shows nothing."""


@runtime_checkable
class Detector(Protocol):
    """Finds objects."""

    @property
    def name(self) -> str: ...
    @property
    def vocabulary(self) -> tuple[str, ...]:
        """Every label that it looks for, so that a picture without such a region shows no such
        thing; empty where nobody can tell."""
        ...

    def __call__(self, pictures: Sequence[Picture]) -> list[tuple[Region, ...]]:
        """The regions of each picture, doubts among them. Raises Unlabelled for one that labels
        say nothing of."""
        ...


@runtime_checkable
class ByName(Protocol):
    """A detector whose answers depend on more than pixels."""

    def known_as(self, picture: Picture) -> str:
        """What they depend on; equal pixels under another name may have other regions."""
        ...


@runtime_checkable
class Licensed(Protocol):
    """A detector whose labels came with the licences of pictures."""

    def licence_of(self, picture: Picture) -> str | None:
        """None where they do not say it."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What a teacher describes and a verifier sees."""

    picture: Picture
    crop: Crop | None
    """None: the whole picture."""
    regions: tuple[Region, ...]
    """All that were found in the picture."""
    doubts: tuple[Region, ...] = ()
    """What may be there besides; only verifiers read it."""
    shown: dict[Any, ShownImage] = field(default_factory=dict, compare=False, repr=False)
    """What was shown of the picture already; its views may share it."""


@runtime_checkable
class Teacher(Protocol):
    """Writes captions: of whole pictures (level 1) and of crops (level 2)."""

    @property
    def name(self) -> str: ...
    def __call__(self, views: Sequence[View]) -> list[Caption | None]:
        """A caption of each view; None where the teacher could not be reached."""
        ...


@runtime_checkable
class Verifier(Protocol):
    """Checks captions."""

    @property
    def name(self) -> str: ...
    def __call__(self, cases: Sequence[tuple[View, str]]) -> list[Verdict | None]:
        """A verdict on each text about its view; None where the verifier could not be reached."""
        ...
