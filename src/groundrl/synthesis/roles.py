"""Interfaces of the parts of a synthesis: image collection, teacher, verifier.

Each has a ``name`` that contains everything its results depend on: results are cached under it.
Several threads may call a teacher or verifier at once. A part with a ``batch_size`` (see
``detectors.base.Batched``) is called by one thread, with up to ``batch_size`` inputs.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from groundrl.chat.base import ImageAttachment
from groundrl.detectors.records import InputImage, Region
from groundrl.synthesis.annotations import Caption, Crop, Verdict


@runtime_checkable
class ImageCollection(Protocol):
    """The images of a run in a fixed order, created one by one: they need not fit into memory."""

    @property
    def name(self) -> str:
        """Name of the data set, for provenance."""
        ...

    @property
    def skipped(self) -> Mapping[str, str]:
        """Path of each unusable file -> reason; complete after one full iteration."""
        ...

    def __len__(self) -> int: ...
    def __iter__(self) -> Iterator[InputImage]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageView:
    """What a caption is about: an image or one crop of it, with the regions of the image."""

    image: InputImage
    crop: Crop | None
    """None: the whole image."""
    regions: tuple[Region, ...]
    """All regions of the image that are above the detector's threshold."""
    doubts: tuple[Region, ...] = ()
    """Regions below the detector's threshold; only verifiers use them."""
    attachments: dict[Any, ImageAttachment] = field(default_factory=dict, compare=False, repr=False)
    """Cache of the encoded images for language models; all views of an image share it."""


@runtime_checkable
class Teacher(Protocol):
    """Generates captions of whole images (level 1) and of crops (level 2)."""

    @property
    def name(self) -> str: ...
    def __call__(self, views: Sequence[ImageView]) -> list[Caption | None]:
        """The caption of each view; None where the model was unreachable."""
        ...


@runtime_checkable
class Verifier(Protocol):
    """Verifies captions."""

    @property
    def name(self) -> str: ...
    def __call__(self, cases: Sequence[tuple[ImageView, str]]) -> list[Verdict | None]:
        """The verdict on each caption text; None where the model was unreachable."""
        ...


@runtime_checkable
class UsesVocabulary(Protocol):
    """A verifier that needs to know which labels the detector looks for."""

    def with_vocabulary(self, labels: Sequence[str]) -> Verifier:
        """The same verifier with these labels in addition."""
        ...
