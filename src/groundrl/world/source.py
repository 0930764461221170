"""An image of the embedded world as an image source."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from groundrl.records import Provenance
from groundrl.world.graph import SceneSpec

if TYPE_CHECKING:
    from PIL.Image import Image

LICENCE = "Apache-2.0"


@dataclass(frozen=True, slots=True, kw_only=True)
class SceneImage:
    """The image of a scene, drawn when it is loaded."""

    spec: SceneSpec

    @property
    def key(self) -> str:
        """Every field of the spec, so that equal keys mean equal pixels."""
        s = self.spec
        return (
            f"scene:{s.seed}:{s.index}:{s.subject}:{s.look}:{s.width}x{s.height}"
            f":{s.min_objects}-{s.max_objects}"
        )

    @property
    def width(self) -> int:
        """Pixels."""
        return self.spec.width

    @property
    def height(self) -> int:
        """Pixels."""
        return self.spec.height

    def load(self) -> "Image":
        """Decoded RGB pixels."""
        from PIL import Image

        from groundrl.world.render import render

        return Image.fromarray(render(self.spec).image)


def provenance(spec: SceneSpec) -> Provenance:
    """Where a question about a scene comes from."""
    return Provenance(dataset="world", split=f"{spec.subject}-{spec.look}", licence=LICENCE)
