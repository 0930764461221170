"""Records of the stages of a synthesis: Image -> Region -> Crop -> Caption -> Verdict -> Sample.

Boxes are in the PIXEL frame of the whole image.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from groundrl.boxes import Box
from groundrl.detectors.records import InputImage, Region


@dataclass(frozen=True, slots=True, kw_only=True)
class Crop:
    """A part of the image: the box of a region, enlarged by a margin."""

    region: Region
    box: Box


class ErrorKind(StrEnum):
    """What a caption is wrong about (after ViGoR, section 3.1)."""

    OBJECT = "object"
    """The caption names an object that is not in the image."""
    ATTRIBUTE = "attribute"
    RELATION = "relation"
    COUNT = "count"
    OTHER = "other"


PLANTABLE_KINDS: Final = (
    ErrorKind.OBJECT,
    ErrorKind.ATTRIBUTE,
    ErrorKind.RELATION,
    ErrorKind.COUNT,
)
"""Kinds of error that the embedded teacher plants, and that verifiers are measured by."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptionError:
    """A wrong span of a caption."""

    kind: ErrorKind
    span: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Caption:
    """A teacher's description of an image or a crop."""

    text: str
    planted: tuple[CaptionError, ...] = ()
    """Errors that the embedded teacher made on purpose. Only the measurement of the verifier reads
    them."""
    tokens: int = 0
    """Of prompts and answers together; 0 where no language model was asked."""
    cost: float = 0.0
    """In the currency of ``spending.price``; 0 where no price is set."""


class Decision(StrEnum):
    """A verifier's decision about a caption."""

    KEEP = "keep"
    REPAIR = "repair"
    REJECT = "reject"


class VerdictSource(StrEnum):
    """Where a verdict comes from."""

    VERIFIER = "verifier"
    CONSISTENCY = "consistency"
    """The captions of the crops (level 2) contradict the caption of the image (level 1)."""
    FORMAT = "format"
    """A model's answer could not be parsed, so there is no caption or no verdict."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """A decision about a caption, with its reason."""

    decision: Decision
    reason: str
    flaw: CaptionError | None = None
    """The wrong words; None for ``keep``, and where a rejection names none."""
    repaired: str | None = None
    """The corrected caption, for ``repair``; it is verified again."""
    by: VerdictSource = VerdictSource.VERIFIER
    tokens: int = 0
    """Of prompts and answers together."""
    cost: float = 0.0
    """In the currency of ``spending.price``."""

    @property
    def rejection_kind(self) -> str:
        """Under which a rejection is counted: the kind of error, "unreadable" or "none named"."""
        if self.by is VerdictSource.FORMAT:
            return "unreadable"
        return "none named" if self.flaw is None else str(self.flaw.kind)


class FinalDecision(StrEnum):
    """The result of all verdicts on a caption."""

    KEPT = "kept"
    REPAIRED = "repaired"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedCaption:
    """A caption with all verdicts on it; it may have been rejected."""

    crop: Crop | None
    """None: the caption is about the whole image (level 1)."""
    caption: Caption
    """As the teacher generated it."""
    verdicts: tuple[Verdict, ...]
    """In order; each verdict after a repair is about the repaired text."""
    text: str | None
    """The final text; None where the caption was rejected."""

    @property
    def flaws(self) -> tuple[CaptionError, ...]:
        """The errors that were found, in order."""
        wrong = (v for v in self.verdicts if v.decision is not Decision.KEEP)
        return tuple(verdict.flaw for verdict in wrong if verdict.flaw is not None)

    @property
    def final_decision(self) -> FinalDecision:
        """Kept, repaired or rejected."""
        if self.text is None:
            return FinalDecision.REJECTED
        kept = all(verdict.decision is Decision.KEEP for verdict in self.verdicts)
        return FinalDecision.KEPT if kept else FinalDecision.REPAIRED


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptionedImage:
    """An image with its regions and the verified captions of both levels."""

    image: InputImage
    regions: tuple[Region, ...]
    """Regions above the detector's threshold, without duplicates."""
    doubts: tuple[Region, ...] = ()
    """Regions below the detector's threshold, without duplicates."""
    image_caption: VerifiedCaption
    """Of the whole image (level 1)."""
    crop_captions: tuple[VerifiedCaption, ...]
    """Of the crops (level 2), in the order of ``regions``."""
