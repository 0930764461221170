"""The records that flow from data to report. Frozen; no half-filled states.

Sample -> (rollout) -> Completion, RolloutGroup -> (rewards) -> Score
"""

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from groundrl.boxes import Box, ImageSizes
from groundrl.errors import UserError
from groundrl.files import printable

if TYPE_CHECKING:
    from PIL.Image import Image


@dataclass(frozen=True, slots=True, kw_only=True)
class Grounding:
    """A phrase and the box it points at."""

    label: str
    box: Box


CAPTION = "caption"
"""Kind of a sample that asks for a description: the answer is text of its own, with or without
boxes, and there is no right one."""
Segments = tuple["str | Grounding", ...]
"""Text with groundings woven in, free of any grammar. Neighbouring strings are not allowed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """A grounded answer: reasoning with groundings, then the answer."""

    reasoning: Segments
    answer: "str | Segments"
    """Segments only where the answer itself points at objects: a caption."""


class Form(StrEnum):
    """What an answer looks like, so that prompts ask for it."""

    OPTIONS = "options"
    """One or more of the options shown."""
    YES_NO = "yes_no"
    TRUE_FALSE = "true_false"
    BOX = "box"
    """One box."""
    TEXT = "text"
    """Words of the model's own."""


@runtime_checkable
class ImageSource(Protocol):
    """An image that is loaded when it is needed. Equal ``key``, equal pixels."""

    @property
    def key(self) -> str: ...
    @property
    def width(self) -> int: ...
    @property
    def height(self) -> int: ...
    def load(self) -> "Image":
        """Decoded RGB pixels."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageFile:
    """An image on disk, with the size of the upright image."""

    path: Path
    width: int
    height: int

    @property
    def key(self) -> str:
        """The resolved path."""
        return printable(self.path.resolve())

    def load(self) -> "Image":
        """Decoded RGB pixels, upright."""
        from groundrl.images import read_image

        return read_image(self.path)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangedImage:
    """What images have in common whose pixels are changed when they are loaded, not their size."""

    image: ImageSource

    @property
    def width(self) -> int:
        """As before."""
        return self.image.width

    @property
    def height(self) -> int:
        """As before."""
        return self.image.height


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedImage:
    """An image of which only the name is known: files of answers mention it."""

    key: str
    width: int = 0
    """0 if unknown, as is ``height``."""
    height: int = 0

    def load(self) -> Any:
        """Raises UserError: there are no pixels."""
        raise UserError(f"the image {self.key} is not here")


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """Where a sample comes from."""

    dataset: str
    split: str
    licence: str = "unknown"
    source: str = ""
    """Where it is published: an address; empty if unknown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One question about one image, with its truth. Boxes are in the PIXEL frame of ``image``."""

    id: str
    """Unique within the data set and split."""
    image: ImageSource
    question: str
    """Without options and without instructions: prompts.py adds those."""
    options: tuple[str, ...] = ()
    """Choices in the order shown; empty for an open question."""
    answers: tuple[str, ...] = ()
    """The right options (their texts, not their letters), or the accepted words of an open
    question; empty if the sample asks for boxes only."""
    groundings: tuple[Grounding, ...] = ()
    """Every object a good answer points at, each once."""
    rationale: Segments | None = None
    """Reasoning that points at each of ``groundings``, for the SFT warm-up; in words alone, or
    empty, where published data has no other or ``data.target`` says so. Without groundings it
    may point at one object: what a "no" compares with what was asked for. Of a sample of kind
    ``CAPTION`` it is the caption to learn, which may err."""
    kind: str = "question"
    """What the question asks for: "color", "relation", "count", "locate", …. Metrics can be split
    by it."""
    context_images: tuple[ImageSource, ...] = ()
    """Shown after ``image``: its depth map, earlier frames; no box refers to them."""
    provenance: Provenance = field(kw_only=True)

    @property
    def images(self) -> tuple[ImageSource, ...]:
        """All that are shown, in order."""
        return (self.image, *self.context_images)


@dataclass(frozen=True, slots=True, kw_only=True)
class Completion:
    """One sampled answer."""

    text: str
    """Decoded without special tokens but those of boxes; with what the chat template had opened."""
    tokens: tuple[int, ...]
    """Token ids, the end-of-turn token included when it was sampled."""
    logprobs: tuple[float, ...]
    """Natural-log probability of each token under the sampler, before top-p and top-k cuts."""
    truncated: bool
    """No end-of-turn token within the token limit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutGroup:
    """One sample with its G completions."""

    sample: Sample
    sizes: ImageSizes
    """Sizes of the sample's image, to convert the model's boxes to the PIXEL frame."""
    completions: tuple[Completion, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SpanScore:
    """What a part of a completion's text earned."""

    start: int
    stop: int
    """Places in the text."""
    value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """The reward of one completion: ``total = sum(weight * part)`` over the parts that apply."""

    total: float
    parts: dict[str, float | None]
    """Unweighted value of each term; None where the term does not apply to this completion."""
    spans: dict[str, tuple[SpanScore, ...]] = field(default_factory=dict)
    """Of the terms that rate parts of the text."""
    unanswered: dict[str, str] = field(default_factory=dict)
    """Why a term could not rate the completion, for each that could not; it counts as one that
    does not apply."""
