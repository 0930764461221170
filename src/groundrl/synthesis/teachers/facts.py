"""What the embedded teacher knows of a view: the scene itself, or else the regions of an image."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from groundrl.boxes import Box, intersection, iou
from groundrl.questions.box_relations import is_beside
from groundrl.relations import Relation
from groundrl.synthesis.reading import split_label
from groundrl.synthesis.roles import View
from groundrl.world.graph import Scene, SceneSpec
from groundrl.world.relations import holds
from groundrl.world.render import build_scene
from groundrl.world.source import SceneImage
from groundrl.world.vocabulary import CATEGORIES, COLORS

INSIDE: Final = 0.5
"""Share of an object's box from which a crop shows the object."""
OF_SCENES: Final = (
    Relation.LEFT_OF,
    Relation.RIGHT_OF,
    Relation.IN_FRONT_OF,
    Relation.BEHIND,
    Relation.ON,
)
OF_BOXES: Final = (Relation.LEFT_OF, Relation.RIGHT_OF)


@dataclass(frozen=True, slots=True, kw_only=True)
class Thing:
    """An object in a view."""

    noun: str
    color: str | None
    """None: not known."""
    box: Box


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is true of a view."""

    things: tuple[Thing, ...]
    """That it shows; of a crop, first the one that it is about."""
    relations: tuple[tuple[int, Relation, int], ...]
    """Clearly true ones between ``things``."""
    absent: tuple[str, ...]
    """Nouns that could be expected in such an image and of which the view shows none."""
    colors: tuple[str, ...]
    """That things can have."""


def facts_of(view: View) -> Facts:
    """The scene's truth for images of the embedded world. Of a photograph what its regions say:
    classes, numbers, left and right."""
    image = view.image.source
    if isinstance(image, SceneImage):
        return _in_view(_whole_scene(image.spec), view)
    things = tuple(
        Thing(noun=noun, color=color, box=region.box)
        for region in view.regions
        for color, noun in [split_label(region.label)]
    )
    relations = tuple(
        (i, relation, j)
        for i, a in enumerate(things)
        for j, b in enumerate(things)
        for relation in OF_BOXES
        if is_beside(relation, a.box, b.box, image.width, image.height)
    )
    return _in_view(Facts(things=things, relations=relations, absent=(), colors=()), view)


@lru_cache(maxsize=256)
def _whole_scene(spec: SceneSpec) -> Facts:
    scene: Scene = build_scene(spec)
    return Facts(
        things=tuple(
            Thing(noun=thing.category, color=thing.color, box=thing.box) for thing in scene.objects
        ),
        relations=tuple(
            (i, relation, j)
            for i, a in enumerate(scene.objects)
            for j, b in enumerate(scene.objects)
            for relation in OF_SCENES
            if holds(relation, a, b, scene)
        ),
        absent=CATEGORIES[spec.subject],
        colors=tuple(COLORS),
    )


def _in_view(whole: Facts, view: View) -> Facts:
    """What is left of an image's facts in a crop; things are renumbered, the main one first."""
    order = list(range(len(whole.things)))
    if view.crop is not None:
        crop, region = view.crop.box, view.crop.region.box
        boxes = [thing.box for thing in whole.things]
        order = [i for i in order if intersection(boxes[i], crop) >= INSIDE * boxes[i].area]
        order.sort(key=lambda i: (-iou(boxes[i], region), i))
    place = {old: new for new, old in enumerate(order)}
    shown = {whole.things[i].noun for i in order}
    return Facts(
        things=tuple(whole.things[i] for i in order),
        relations=tuple(
            (place[i], relation, place[j])
            for i, relation, j in whole.relations
            if i in place and j in place
        ),
        absent=tuple(noun for noun in whole.absent if noun not in shown),
        colors=whole.colors,
    )
