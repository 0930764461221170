"""What flows through the stages: Picture -> Region -> Crop -> Caption -> Verdict -> Sample.

Boxes are in the PIXEL frame of the whole picture.
"""

from dataclasses import dataclass
from enum import StrEnum

from groundrl.boxes import Box
from groundrl.records import ImageSource


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A readable picture of the input."""

    id: str
    """Unique in the input: its path below the folder, or the index of a scene."""
    image: ImageSource
    digest: str
    """Equal digest, equal pixels: what is known of a picture is kept under it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Region:
    """An object that a detector found, or that came with the data."""

    label: str
    box: Box
    score: float
    """Confidence, 0 to 1; 1 for given boxes."""
    sure: bool = True
    """False: a doubt, below the detector's threshold. Nothing is made of it, and nothing is denied
    that it would bear out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Crop:
    """What is shown of a region: its box with a margin, inside the picture."""

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
class Flaw:
    """A wrong span of a caption."""

    kind: ErrorKind
    span: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Caption:
    """What a teacher says of a picture or a crop."""

    text: str
    planted: tuple[Flaw, ...] = ()
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
    flaw: Flaw | None = None
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


class Ending(StrEnum):
    """What became of a caption in the end."""

    KEPT = "kept"
    REPAIRED = "repaired"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """A caption with everything that was said of it."""

    crop: Crop | None
    """None: of the whole picture (level 1)."""
    caption: Caption
    """As the teacher wrote it."""
    verdicts: tuple[Verdict, ...]
    """In order: each but the first is on what the one before repaired."""
    text: str | None
    """What is left of it; None where it was rejected."""

    @property
    def flaws(self) -> tuple[Flaw, ...]:
        """That verifiers found, in order."""
        wrong = (v for v in self.verdicts if v.decision is not Decision.KEEP)
        return tuple(verdict.flaw for verdict in wrong if verdict.flaw is not None)

    @property
    def ending(self) -> Ending:
        """What became of it."""
        if self.text is None:
            return Ending.REJECTED
        kept = all(verdict.decision is Decision.KEEP for verdict in self.verdicts)
        return Ending.KEPT if kept else Ending.REPAIRED


@dataclass(frozen=True, slots=True, kw_only=True)
class Annotated:
    """All that was found out about a picture."""

    picture: Picture
    regions: tuple[Region, ...]
    """Sure ones, duplicates merged."""
    doubts: tuple[Region, ...] = ()
    """The others."""
    whole: Checked
    branches: tuple[Checked, ...]
    """The crops, in the order of ``regions``."""
