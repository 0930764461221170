"""What a scene is: objects with names, looks and places in a 3-D world.

World axes, in metres: x to the right, y up, z away from the camera; the ground is y = 0.
Depth is the distance along the camera's viewing axis.
"""

from dataclasses import dataclass
from enum import StrEnum

from groundrl.boxes import Box
from groundrl.records import Grounding


class Subject(StrEnum):
    """What kind of place is shown."""

    TABLETOP = "tabletop"
    STREET = "street"


class Look(StrEnum):
    """How it is drawn: ``plain`` is the synthetic domain, ``photo`` stands in for the real one."""

    PLAIN = "plain"
    PHOTO = "photo"


@dataclass(frozen=True, slots=True, kw_only=True)
class SceneSpec:
    """Everything a scene depends on: equal specs, equal pixels."""

    seed: int
    index: int
    subject: Subject = Subject.TABLETOP
    look: Look = Look.PLAIN
    width: int = 160
    height: int = 160
    min_objects: int = 3
    max_objects: int = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class SceneObject:
    """One solid object."""

    category: str
    color: str
    material: str
    size: str
    """"small" or "large"."""
    position: tuple[float, float, float]
    """Centre of the base (x, y, z), metres; y > 0 when it stands on another object."""
    extent: tuple[float, float, float]
    """Width (x), height (y), depth (z) of the bounding cuboid, metres."""
    support: int | None
    """Index in ``Scene.objects`` of the object it stands on; None for the ground."""
    box: Box
    """Tight box around the visible pixels, PIXEL frame: pixel columns x1..x2-1 hold the object."""
    visibility: float
    """Visible share of the pixels that the object would cover alone, in (0, 1]."""
    depth: float
    """Distance of the base's centre along the viewing axis, metres."""

    @property
    def label(self) -> str:
        """The name of the object in a grounding: "red cup"."""
        return f"{self.color} {self.category}"

    @property
    def grounding(self) -> Grounding:
        """The label and the box."""
        return Grounding(label=self.label, box=self.box)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """A scene graph: the objects, near to far, with relations computed from their geometry."""

    spec: SceneSpec
    objects: tuple[SceneObject, ...]
