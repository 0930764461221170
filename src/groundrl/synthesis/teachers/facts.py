"""Facts about a view: from the scene graph of an embedded scene, or from an image's regions."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from groundrl.boxes import Box, intersection, iou
from groundrl.language.reading import split_label
from groundrl.questions.box_relations import is_beside
from groundrl.relations import Relation
from groundrl.synthesis.roles import ImageView
from groundrl.world.graph import Scene, SceneSpec
from groundrl.world.relations import holds
from groundrl.world.render import build_scene
from groundrl.world.source import SceneImage
from groundrl.world.vocabulary import CATEGORIES, COLORS

INSIDE: Final = 0.5
"""Fraction of an object's box that lies in a crop, from which the crop shows the object."""
SCENE_RELATIONS: Final = (
    Relation.LEFT_OF,
    Relation.RIGHT_OF,
    Relation.IN_FRONT_OF,
    Relation.BEHIND,
    Relation.ON,
)
BOX_RELATIONS: Final = (Relation.LEFT_OF, Relation.RIGHT_OF)


@dataclass(frozen=True, slots=True, kw_only=True)
class VisibleObject:
    """An object in a view."""

    noun: str
    color: str | None
    """None: unknown."""
    box: Box


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewFacts:
    """Objects in a view, and what is true of them."""

    objects: tuple[VisibleObject, ...]
    """Objects in the view; in a crop, the object of its region comes first."""
    relations: tuple[tuple[int, Relation, int], ...]
    """(subject, relation, object): clearly true relations between indices of ``objects``."""
    absent: tuple[str, ...]
    """Nouns that are plausible in such an image and that the view does not show."""
    colors: tuple[str, ...]
    """All colours that objects can have."""


def collect_facts(view: ImageView) -> ViewFacts:
    """The facts of a view: the ground truth of an embedded scene; for other images classes, counts,
    left and right from the regions."""
    image = view.image.source
    if isinstance(image, SceneImage):
        return _restrict_to_crop(_collect_scene_facts(image.spec), view)
    objects = tuple(
        VisibleObject(noun=noun, color=color, box=region.box)
        for region in view.regions
        for color, noun in [split_label(region.label)]
    )
    relations = tuple(
        (i, relation, j)
        for i, a in enumerate(objects)
        for j, b in enumerate(objects)
        for relation in BOX_RELATIONS
        if is_beside(relation, a.box, b.box, image.width, image.height)
    )
    return _restrict_to_crop(
        ViewFacts(objects=objects, relations=relations, absent=(), colors=()), view
    )


@lru_cache(maxsize=256)
def _collect_scene_facts(spec: SceneSpec) -> ViewFacts:
    scene: Scene = build_scene(spec)
    return ViewFacts(
        objects=tuple(
            VisibleObject(noun=one.category, color=one.color, box=one.box) for one in scene.objects
        ),
        relations=tuple(
            (i, relation, j)
            for i, a in enumerate(scene.objects)
            for j, b in enumerate(scene.objects)
            for relation in SCENE_RELATIONS
            if holds(relation, a, b, scene)
        ),
        absent=CATEGORIES[spec.subject],
        colors=tuple(COLORS),
    )


def _restrict_to_crop(facts: ViewFacts, view: ImageView) -> ViewFacts:
    """The facts of a crop out of those of the whole image; the object of the region comes first."""
    order = list(range(len(facts.objects)))
    if view.crop is not None:
        crop, region = view.crop.box, view.crop.region.box
        boxes = [one.box for one in facts.objects]
        order = [i for i in order if intersection(boxes[i], crop) >= INSIDE * boxes[i].area]
        order.sort(key=lambda i: (-iou(boxes[i], region), i))
    new_index = {old: new for new, old in enumerate(order)}
    shown = {facts.objects[i].noun for i in order}
    return ViewFacts(
        objects=tuple(facts.objects[i] for i in order),
        relations=tuple(
            (new_index[i], relation, new_index[j])
            for i, relation, j in facts.relations
            if i in new_index and j in new_index
        ),
        absent=tuple(noun for noun in facts.absent if noun not in shown),
        colors=facts.colors,
    )
