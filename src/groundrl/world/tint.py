"""Images in warm or cool light: something to see that has nothing to do with what is asked."""

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

import numpy as np

from groundrl.records import ChangedImage

if TYPE_CHECKING:
    from PIL.Image import Image


class Tint(StrEnum):
    """The colour of the light."""

    WARM = "warm"
    COOL = "cool"


GAINS: Final = {Tint.WARM: (1.15, 1.0, 0.8), Tint.COOL: (0.8, 1.0, 1.15)}
"""Of red, green and blue."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TintedImage(ChangedImage):
    """An image whose red, green and blue are multiplied by ``GAINS``."""

    tint: Tint

    @property
    def key(self) -> str:
        """The tint and the image's key."""
        return f"{self.tint}:{self.image.key}"

    def load(self) -> "Image":
        """Decoded RGB pixels."""
        from PIL import Image

        pixels = np.asarray(self.image.load()) * np.array(GAINS[self.tint])
        return Image.fromarray(np.clip(pixels, 0, 255).round().astype(np.uint8))
