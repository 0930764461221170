"""What the regions and pixels of a view say about the words of a caption."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from PIL import Image

from groundrl.boxes import intersection
from groundrl.colors import visible_colors
from groundrl.detectors.records import Region
from groundrl.language.reading import Mention, split_label
from groundrl.language.synonyms import may_mean
from groundrl.synthesis.roles import ImageView

CERTAIN: Final = 0.75
"""Fraction of a region's box inside a crop, from which the crop certainly shows the object."""
POSSIBLE: Final = 0.1
"""Fraction from which the crop possibly shows the object."""


@dataclass(slots=True)
class Evidence:
    """Regions and colours of a view; the image is loaded when a colour is needed."""

    view: ImageView
    images: dict[str, Image.Image]
    """Loaded images by digest; views share it."""
    _colors: dict[Region, tuple[str, ...]] = field(default_factory=dict)

    def find_certain(self, word: str) -> list[Region]:
        """Sure regions that the word may mean and that the view certainly shows."""
        return self._find(word, CERTAIN, self.view.regions)

    def find_possible(self, word: str) -> list[Region]:
        """Sure regions, then doubts, that the word may mean and that the view possibly shows."""
        return self._find(word, POSSIBLE, (*self.view.regions, *self.view.doubts))

    def _find(self, word: str, share: float, regions: Sequence[Region]) -> list[Region]:
        crop = self.view.crop
        return [
            region
            for region in regions
            if may_mean(word, split_label(region.label)[1])
            and (
                crop is None
                or intersection(region.box, crop.box) >= share * max(region.box.area, 1e-9)
            )
        ]

    def find_mentioned(self, mention: Mention) -> list[Region]:
        """Regions that a mention may mean: those with its colour, or all where none has it."""
        regions = self.find_possible(mention.noun)
        if mention.color is None:
            return regions
        return [r for r in regions if mention.color in self.list_colors(r)] or regions

    def list_colors(self, region: Region) -> tuple[str, ...]:
        """Acceptable colours of a region: the one in its label, then those of its pixels."""
        if region not in self._colors:
            image = self.view.image
            if image.digest not in self.images:
                self.images[image.digest] = image.source.load()
            named = split_label(region.label)[0]
            visible = visible_colors(self.images[image.digest], region.box)
            self._colors[region] = (() if named is None else (named,)) + visible
        return self._colors[region]
