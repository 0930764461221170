"""What a detector is given and what it finds. Boxes are in the PIXEL frame of the whole image."""

from dataclasses import dataclass

from groundrl.boxes import Box
from groundrl.records import ImageSource


@dataclass(frozen=True, slots=True, kw_only=True)
class InputImage:
    """A readable image of the input."""

    id: str
    """Unique in the input: its path below the folder, or the index of a scene."""
    source: ImageSource
    digest: str
    """Equal digest, equal pixels: what is known of an image is kept under it."""


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
