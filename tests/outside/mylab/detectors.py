"""A detector: the same object in the middle of every image."""

from collections.abc import Sequence
from dataclasses import dataclass

from groundrl.detectors.base import clip_region
from groundrl.detectors.records import InputImage, Region


@dataclass(frozen=True, slots=True, kw_only=True)
class CentreDetector:
    """One object in the middle of every image."""

    label: str
    side: float = 0.5
    """Share of the image's width and height."""

    @property
    def name(self) -> str:
        """Results are cached under it, so it holds every option."""
        return f"centre {self.label} {self.side}"

    @property
    def vocabulary(self) -> tuple[str, ...]:
        """The only label."""
        return (self.label,)

    def __call__(self, images: Sequence[InputImage]) -> list[tuple[Region, ...]]:
        """One region for each image."""
        return [self._regions(image) for image in images]

    def _regions(self, image: InputImage) -> tuple[Region, ...]:
        width, height = image.source.width, image.source.height
        low, high = (1 - self.side) / 2, (1 + self.side) / 2
        corners = (low * width, low * height, high * width, high * height)
        region = clip_region(self.label, corners, 1.0, image.source)
        return () if region is None else (region,)
