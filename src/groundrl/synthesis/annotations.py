"""What flows through the stages: Image -> Region -> Crop -> Caption -> Verdict -> Sample.

Boxes are in the PIXEL frame of the whole image.
"""

from dataclasses import dataclass
from enum import StrEnum

from groundrl.boxes import Box
from groundrl.detectors.records import InputImage, Region


@dataclass(frozen=True, slots=True, kw_only=True)
class Crop:
    """What is shown of a region: its box with a margin, inside the image."""

    region: Region
    box: Box


class ErrorKind(StrEnum):
    """How a caption can be wrong (after ViGoR, section 3.1)."""

    OBJECT = "object"
    """Something that is not there."""
    ATTRIBUTE = "attribute"
    RELATION = "relation"
    COUNT = "count"
    OTHER = "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptionError:
    """A wrong span of a caption."""

    kind: ErrorKind
    span: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Caption:
    """What a teacher says of an image or a crop."""

    text: str
    planted: tuple[CaptionError, ...] = ()
    """Errors that the embedded teacher made on purpose: the truth that verifiers are measured by.
    Nothing but the measurement reads them."""
    tokens: int = 0
    """Of prompt and answer together; 0 where no language model was asked."""
    cost: float = 0.0
    """In the currency of whoever is paid; 0 where nobody is."""


class Decision(StrEnum):
    """What becomes of a caption."""

    KEEP = "keep"
    REPAIR = "repair"
    REJECT = "reject"


class Signer(StrEnum):
    """Who gave a verdict."""

    VERIFIER = "verifier"
    CONSISTENCY = "consistency"
    """Level 2, which denies what level 1 says."""
    FORMAT = "format"
    """Nobody: a caption or a verdict could not be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What is said of a caption."""

    decision: Decision
    reason: str
    flaw: CaptionError | None = None
    """What is wrong; None for ``keep``."""
    repaired: str | None = None
    """The caption without the flaw, for ``repair``; it is verified again."""
    by: Signer = Signer.VERIFIER
    tokens: int = 0
    """Of prompt and answer together."""
    cost: float = 0.0
    """In the currency of whoever is paid."""

    @property
    def fault(self) -> str:
        """ "unreadable", the kind of error, or "none named"."""
        if self.by is Signer.FORMAT:
            return "unreadable"
        return "none named" if self.flaw is None else str(self.flaw.kind)


class FinalDecision(StrEnum):
    """What became of a caption in the end."""

    KEPT = "kept"
    REPAIRED = "repaired"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedCaption:
    """A caption with everything that was said of it."""

    crop: Crop | None
    """None: of the whole image (level 1)."""
    caption: Caption
    """As the teacher wrote it."""
    verdicts: tuple[Verdict, ...]
    """In order: each but the first is on what the one before repaired."""
    text: str | None
    """What is left of it; None where it was rejected."""

    @property
    def flaws(self) -> tuple[CaptionError, ...]:
        """That verifiers found, in order."""
        wrong = (v for v in self.verdicts if v.decision is not Decision.KEEP)
        return tuple(verdict.flaw for verdict in wrong if verdict.flaw is not None)

    @property
    def ending(self) -> FinalDecision:
        """What became of it."""
        if self.text is None:
            return FinalDecision.REJECTED
        kept = all(verdict.decision is Decision.KEEP for verdict in self.verdicts)
        return FinalDecision.KEPT if kept else FinalDecision.REPAIRED


@dataclass(frozen=True, slots=True, kw_only=True)
class AnnotatedInput:
    """All that was found out about an image."""

    image: InputImage
    regions: tuple[Region, ...]
    """Sure ones, duplicates merged."""
    doubts: tuple[Region, ...] = ()
    """The others."""
    whole: CheckedCaption
    branches: tuple[CheckedCaption, ...]
    """The crops, in the order of ``regions``."""
