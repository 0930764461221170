"""One image of four quarters: what is seen, how far it is, and where two objects are."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from groundrl.boxes import Box
from groundrl.world.graph import SceneSpec
from groundrl.world.source import SceneImage

if TYPE_CHECKING:
    from PIL.Image import Image

QUARTERS_SIDE = 320
"""Pixels of the side of an image whose quarters have a scene's 160."""
WHITE = (255, 255, 255)
AUGMENTED = (
    "The image has four quarters: top left the scene, top right how far it is, bottom left "
    "where the first object is, bottom right where the second one is."
)
"""Stands before a question about such an image."""


def four_quarters(rgb: "Image", depth: "Image", boxes: tuple[Box, Box], side: int) -> "Image":
    """RGB, depth in grey, the first box filled, the second box filled; ``side`` pixels square.

    Boxes are in the PIXEL frame of ``rgb``.
    """
    from PIL import Image, ImageDraw

    page = Image.new("RGB", (side, side))
    half = side // 2
    for place, image in (((0, 0), rgb), ((half, 0), depth.convert("L"))):
        page.paste(image.convert("RGB").resize((half, half)), place)
    draw = ImageDraw.Draw(page)
    for left, box in zip((0, half), boxes, strict=True):
        x1, x2 = (left + half * x / rgb.width for x in (box.x1, box.x2))
        y1, y2 = (half + half * y / rgb.height for y in (box.y1, box.y2))
        draw.rectangle((x1, y1, max(x1, x2 - 1), max(y1, y2 - 1)), fill=WHITE)
    return page


def nearness(depth: Float[np.ndarray, "H W"]) -> "Image":
    """A depth map in grey; near is bright, by the inverse of the distance."""
    from PIL import Image

    return Image.fromarray((255 * depth.min() / depth).astype(np.uint8))


@dataclass(frozen=True, slots=True, kw_only=True)
class FourQuarters:
    """Base of square images that are put together by ``four_quarters`` when they are loaded."""

    boxes: tuple[Box, Box]
    """PIXEL frame of the image in the first quarter."""
    side: int
    """Pixels."""

    @property
    def width(self) -> int:
        """Pixels."""
        return self.side

    @property
    def height(self) -> int:
        """Pixels."""
        return self.side


@dataclass(frozen=True, slots=True, kw_only=True)
class QuarteredScene(FourQuarters):
    """A scene with its depth and two boxes."""

    spec: SceneSpec

    @property
    def key(self) -> str:
        """The scene's key and the boxes."""
        boxes = "/".join(str(box.corners) for box in self.boxes)
        return f"quarters:{self.side}:{SceneImage(spec=self.spec).key}:{boxes}"

    def load(self) -> "Image":
        """Decoded RGB pixels."""
        from PIL import Image

        from groundrl.world.render import render

        drawn = render(self.spec)
        rgb = Image.fromarray(drawn.image)
        return four_quarters(rgb, nearness(drawn.depth), self.boxes, self.side)
