"""Spatial relations, computed from where the objects stand and where the camera sees them.

Every relation has a margin: a pair too close to call stands in neither a relation nor its
converse, so that no question hangs on a pixel.
"""

import math
from collections.abc import Callable

from groundrl.relations import CONVERSE, Relation
from groundrl.world.graph import Scene, SceneObject

SIDEWAYS_SHARE_OF_IMAGE = 0.05
SIDEWAYS_SHARE_OF_WIDER = 0.35
DEPTH_SHARE_OF_DISTANCE = 0.05
DEPTH_SHARE_OF_EXTENT = 0.25
NEAR_RADII = 1.5
FAR_RADII = 2.5


def _is_left_of(a: SceneObject, b: SceneObject, scene: Scene) -> bool:
    wider = max(a.box.x2 - a.box.x1, b.box.x2 - b.box.x1)
    margin = max(SIDEWAYS_SHARE_OF_IMAGE * scene.spec.width, SIDEWAYS_SHARE_OF_WIDER * wider)
    return b.box.center[0] - a.box.center[0] >= margin


def _is_in_front_of(a: SceneObject, b: SceneObject) -> bool:
    margin = max(
        DEPTH_SHARE_OF_DISTANCE * (a.depth + b.depth) / 2,
        DEPTH_SHARE_OF_EXTENT * (a.extent[2] + b.extent[2]),
    )
    return b.depth - a.depth >= margin


def _is_on(a: SceneObject, b: SceneObject, scene: Scene) -> bool:
    return a.support is not None and scene.objects[a.support] == b


def _is_above(a: SceneObject, b: SceneObject, scene: Scene) -> bool:
    carrier = a.support
    while carrier is not None:
        if scene.objects[carrier] == b:
            return True
        carrier = scene.objects[carrier].support
    overlaps = all(
        abs(a.position[axis] - b.position[axis]) < (a.extent[axis] + b.extent[axis]) / 2
        for axis in (0, 2)
    )
    return overlaps and a.position[1] > 0 and a.position[1] >= b.position[1] + b.extent[1]


def _distance_in_radii(a: SceneObject, b: SceneObject) -> float:
    distance = math.hypot(a.position[0] - b.position[0], a.position[2] - b.position[2])
    return 2 * distance / (max(a.extent[0], a.extent[2]) + max(b.extent[0], b.extent[2]))


_TESTS: dict[Relation, Callable[[SceneObject, SceneObject, Scene], bool]] = {
    Relation.LEFT_OF: _is_left_of,
    Relation.RIGHT_OF: lambda a, b, scene: _is_left_of(b, a, scene),
    Relation.IN_FRONT_OF: lambda a, b, scene: _is_in_front_of(a, b),
    Relation.BEHIND: lambda a, b, scene: _is_in_front_of(b, a),
    Relation.ABOVE: _is_above,
    Relation.BELOW: lambda a, b, scene: _is_above(b, a, scene),
    Relation.NEAR: lambda a, b, scene: _distance_in_radii(a, b) <= NEAR_RADII,
    Relation.ON: _is_on,
}


def holds(relation: Relation, a: SceneObject, b: SceneObject, scene: Scene) -> bool:
    """Whether "``a`` is ``relation`` ``b``" is clearly true; an object stands in none to itself.

    left/right: centres of the boxes in the image, at least 5 % of its width and 35 % of the wider
    box apart. in front/behind: distance along the viewing axis, at least 5 % of it and a quarter
    of both depths apart. above/below: carried by it, directly or through others, or over it.
    near: centres on the ground within 1.5 times the sum of both radii. on: carried by it directly.
    """
    return a != b and _TESTS[relation](a, b, scene)


def is_ruled_out(relation: Relation, a: SceneObject, b: SceneObject, scene: Scene) -> bool:
    """Whether "``a`` is ``relation`` ``b``" is clearly false; borderline pairs are neither.

    left/right, in front/behind: the converse holds. near: 2.5 radii or more apart.
    above, below, on: it does not hold.
    """
    if relation in (Relation.ABOVE, Relation.BELOW, Relation.ON):
        return not holds(relation, a, b, scene)
    if relation is Relation.NEAR:
        return _distance_in_radii(a, b) >= FAR_RADII
    return holds(CONVERSE[relation], a, b, scene)


def relations(scene: Scene) -> tuple[tuple[int, Relation, int], ...]:
    """All true (subject index, relation, object index) of a scene, in order of indices."""
    return tuple(
        (i, relation, j)
        for i, a in enumerate(scene.objects)
        for j, b in enumerate(scene.objects)
        for relation in Relation
        if holds(relation, a, b, scene)
    )
