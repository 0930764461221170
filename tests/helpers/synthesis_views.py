"""Images, regions and small roles for the tests of the synthesis."""

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from groundrl.boxes import Box, Frame
from groundrl.detectors.oracle import OracleDetector
from groundrl.detectors.records import InputImage, Region
from groundrl.synthesis.annotations import Caption, Crop, Decision, Verdict
from groundrl.synthesis.roles import ImageView
from groundrl.synthesis.verifiers.rules import RuleVerifier
from groundrl.world.graph import Scene, SceneSpec, Subject
from groundrl.world.render import build_scene
from groundrl.world.source import SceneImage


def box(x1: float, y1: float, x2: float, y2: float) -> Box:
    return Box(x1=float(x1), y1=float(y1), x2=float(x2), y2=float(y2), frame=Frame.PIXEL)


def region(label: str, *corners: float, score: float = 1.0, sure: bool = True) -> Region:
    return Region(label=label, box=box(*corners), score=score, sure=sure)


def scene_image(index: int, seed: int = 7, subject: Subject = Subject.TABLETOP) -> InputImage:
    image = SceneImage(spec=SceneSpec(seed=seed, index=index, subject=subject))
    return InputImage(id=f"{index}", source=image, digest=image.key)


def scene(image: InputImage) -> Scene:
    assert isinstance(image.source, SceneImage)
    return build_scene(image.source.spec)


def true_regions(image: InputImage) -> tuple[Region, ...]:
    things = scene(image).objects
    return tuple(Region(label=thing.category, box=thing.box, score=1.0) for thing in things)


def view(
    image: InputImage,
    regions: Sequence[Region],
    crop: Crop | None = None,
    doubts: Sequence[Region] = (),
) -> ImageView:
    return ImageView(image=image, crop=crop, regions=tuple(regions), doubts=tuple(doubts))


@dataclass
class FixedDetector:
    """A detector that finds the same two things everywhere."""

    name: str = "boxes"
    vocabulary: tuple[str, ...] = ("cup", "box", "lamp")

    def __call__(self, images: Sequence[InputImage]) -> list[tuple[Region, ...]]:
        found = (region("cup", 10, 10, 50, 50), region("box", 90, 60, 140, 120))
        return [found for _ in images]


@dataclass
class FixedTeacher:
    """A teacher with one sentence, after a pause; unreachable for the images in ``down``."""

    pause: float = 0.0
    down: set[str] = field(default_factory=set)
    name: str = "says"
    at_once: int = 0
    _busy: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self, views: Sequence[ImageView]) -> list[Caption | None]:
        with self._lock:
            self._busy += 1
            self.at_once = max(self.at_once, self._busy)
        time.sleep(self.pause)
        with self._lock:
            self._busy -= 1
        return [None if one.image.id in self.down else self._caption(one) for one in views]

    def _caption(self, one: ImageView) -> Caption:
        if one.crop is None:
            return Caption(text="A red cup is left of a blue box.", tokens=3)
        return Caption(text=f"This is a {one.crop.region.label}.", tokens=2)


@dataclass
class KeepingVerifier:
    """A verifier that finds nothing wrong."""

    pause: float = 0.0
    name: str = "keeps"

    def __call__(self, cases: Sequence[tuple[ImageView, str]]) -> list[Verdict | None]:
        time.sleep(self.pause)
        return [Verdict(decision=Decision.KEEP, reason="fine") for _ in cases]


SCENE_VERIFIER = RuleVerifier(vocabulary=OracleDetector().vocabulary)
"""The rule verifier for embedded scenes."""
