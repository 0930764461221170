"""A detector's input and output. Boxes are in the PIXEL frame of the whole image."""

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
    """Equal digests, equal pixels: results about an image are cached under it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Region:
    """An object that a detector found, or that came with the data."""

    label: str
    box: Box
    score: float
    """Confidence, 0 to 1; 1 for given boxes."""
    sure: bool = True
    """False for a doubt: a region below the detector's threshold. No sample is made of a doubt, and
    no statement is rejected that would be right if the doubt were an object."""
