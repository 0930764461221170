"""A detector that reads the scene graph of drawn scenes, with errors at chosen rates."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from groundrl.boxes import Box, Frame, iou
from groundrl.cache_key import cache_key
from groundrl.detectors.records import InputImage, Region
from groundrl.errors import UserError
from groundrl.world.graph import Scene
from groundrl.world.render import build_scene
from groundrl.world.source import SceneImage
from groundrl.world.vocabulary import CATEGORIES

PLACES: Final = 20
"""Random places that are tried for a false alarm; the one with the least overlap is taken."""
SIDES: Final = (0.1, 0.35)
"""Least and greatest side of a false alarm's box, as shares of the image's side."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OracleDetector:
    """Every object of a scene with its class, apart from misses and false alarms."""

    miss_rate: float = 0.0
    """Probability that an object is not found."""
    false_alarm_rate: float = 0.0
    """Probability, for each object, of a box with a class that the scene does not show."""
    seed: int = 0
    """Misses and false alarms are a function of it and of the image."""

    def __post_init__(self) -> None:
        """Raises UserError for rates that are no probabilities."""
        for rate in ("miss_rate", "false_alarm_rate"):
            if not 0 <= getattr(self, rate) <= 1:
                raise UserError(
                    f"detector.{rate}={getattr(self, rate)} is no probability: type "
                    f"detector.{rate}=0.1, or another number from 0 to 1"
                )

    @property
    def name(self) -> str:
        """Cache key of the rates and the seed."""
        rates = {"miss_rate": self.miss_rate, "false_alarm_rate": self.false_alarm_rate}
        return cache_key("oracle", **rates, seed=self.seed)

    @property
    def vocabulary(self) -> tuple[str, ...]:
        """All classes of the embedded world."""
        return tuple(noun for nouns in CATEGORIES.values() for noun in nouns)

    def __call__(self, images: Sequence[InputImage]) -> list[tuple[Region, ...]]:
        """Found objects near to far, then false alarms. Raises UserError for photographs."""
        return [self._regions(image) for image in images]

    def _regions(self, image: InputImage) -> tuple[Region, ...]:
        if not isinstance(image.source, SceneImage):
            raise UserError(
                f"detector=oracle reads drawn scenes only, and {image.id} is none: type "
                "detector=given labels=<labels>, or a detector that looks at pixels"
            )
        key = hashlib.blake2b(f"{self.seed}/{image.digest}".encode(), digest_size=16).digest()
        rng = np.random.default_rng(int.from_bytes(key, "big"))
        scene = build_scene(image.source.spec)
        missed, alarms = rng.random((2, len(scene.objects)))
        found = [
            Region(label=thing.category, box=thing.box, score=1.0)
            for thing, chance in zip(scene.objects, missed, strict=True)
            if chance >= self.miss_rate
        ]
        count = int((alarms < self.false_alarm_rate).sum())
        return (*found, *(draw_false_alarm(scene, rng) for _ in range(count)))


def draw_false_alarm(scene: Scene, rng: np.random.Generator) -> Region:
    """A region with a class that the scene does not show (any class, if it shows all of them), at
    the random place that overlaps its objects least."""
    spec = scene.spec
    present = {thing.category for thing in scene.objects}
    known = CATEGORIES[spec.subject]
    nouns = [noun for noun in known if noun not in present] or known
    label = nouns[int(rng.integers(len(nouns)))]
    places = []
    for _ in range(PLACES):
        width, height = rng.uniform(*SIDES, 2) * (spec.width, spec.height)
        x, y = rng.random(2) * (spec.width - width, spec.height - height)
        x1, y1, x2, y2 = (float(value) for value in (x, y, x + width, y + height))
        places.append(Box(x1=x1, y1=y1, x2=x2, y2=y2, frame=Frame.PIXEL))
    box = min(places, key=lambda place: max(iou(place, thing.box) for thing in scene.objects))
    return Region(label=label, box=box, score=1.0)
