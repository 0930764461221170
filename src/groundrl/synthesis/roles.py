"""What stages are made of: whoever finds regions, describes them and checks the descriptions.

Each has a name, what its answers depend on: they are kept under it and used again under no other.
Threads may call all of them at once. One that computes in this process says with ``batch_size``
how much it likes to be asked together, and is then called by one thread at a time.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from groundrl.chat.base import ImageAttachment
from groundrl.detectors.records import InputImage, Region
from groundrl.synthesis.annotations import Caption, Crop, Verdict


@runtime_checkable
class ImageCollection(Protocol):
    """The images of a run, in an order of their own; made one by one, so that there may be more
    of them than fit into memory."""

    @property
    def name(self) -> str:
        """Of the data set, for provenance."""
        ...

    @property
    def left_out(self) -> Mapping[str, str]:
        """Why files are no images, by their paths; complete when all images were asked for."""
        ...

    def __len__(self) -> int: ...
    def __iter__(self) -> Iterator[InputImage]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What a teacher describes and a verifier sees."""

    image: InputImage
    crop: Crop | None
    """None: the whole image."""
    regions: tuple[Region, ...]
    """All that were found in the image."""
    doubts: tuple[Region, ...] = ()
    """What may be there besides; only verifiers read it."""
    shown: dict[Any, ImageAttachment] = field(default_factory=dict, compare=False, repr=False)
    """What was shown of the image already; its views may share it."""


@runtime_checkable
class Teacher(Protocol):
    """Writes captions: of whole images (level 1) and of crops (level 2)."""

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
