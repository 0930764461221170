"""Images of Rel3D (arXiv 2012.01634) that are made when they are loaded."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from groundrl.boxes import Box
from groundrl.records import ImageFile
from groundrl.world.quarters import WHITE, FourQuarters, four_quarters

if TYPE_CHECKING:
    from PIL.Image import Image


@dataclass(frozen=True, slots=True, kw_only=True)
class DepthFile:
    """A depth map on disk, as an image in grey: near is dark."""

    path: Path
    width: int
    height: int

    @property
    def key(self) -> str:
        """The file."""
        file = ImageFile(path=self.path, width=self.width, height=self.height)
        return f"depth:{file.key}"

    def load(self) -> "Image":
        """RGB pixels; depth is stretched to 8 bits."""
        from PIL import Image

        with Image.open(self.path) as file:
            far = np.asarray(file.convert("F"))
        grey = 255 * (far - far.min()) / max(float(np.ptp(far)), 1e-9)
        return Image.fromarray(grey.astype(np.uint8)).convert("RGB")


@dataclass(frozen=True, slots=True, kw_only=True)
class MaskImage:
    """A box, filled with white on black."""

    box: Box
    """PIXEL frame of an image of the same size."""
    width: int
    height: int

    @property
    def key(self) -> str:
        """Size and box."""
        return f"mask:{self.width}x{self.height}:{self.box.corners}"

    def load(self) -> "Image":
        """RGB pixels."""
        from PIL import Image, ImageDraw

        page = Image.new("RGB", (self.width, self.height))
        x1, y1, x2, y2 = self.box.corners
        ImageDraw.Draw(page).rectangle((x1, y1, max(x1, x2 - 1), max(y1, y2 - 1)), fill=WHITE)
        return page


@dataclass(frozen=True, slots=True, kw_only=True)
class QuarteredFiles(FourQuarters):
    """An image file with its depth and two boxes."""

    rgb: ImageFile
    depth: DepthFile

    @property
    def key(self) -> str:
        """The files and the boxes."""
        return f"quarters:{self.side}:{self.rgb.key}:{[box.corners for box in self.boxes]}"

    def load(self) -> "Image":
        """RGB pixels."""
        return four_quarters(self.rgb.load(), self.depth.load(), self.boxes, self.side)
