"""What is known of a scene: everything, with its geometric truth."""

from functools import cache

from groundrl.questions.known import KnownImage, KnownObject
from groundrl.questions.sentences import there_is
from groundrl.relations import Relation
from groundrl.world.graph import Scene
from groundrl.world.relations import holds, is_ruled_out
from groundrl.world.vocabulary import CATEGORIES, COLORS


def known_objects(scene: Scene) -> tuple[KnownObject, ...]:
    """The objects, near to far."""
    return tuple(
        KnownObject(index=i, noun=one.category, color=one.color, box=one.box)
        for i, one in enumerate(scene.objects)
    )


def known_scene(scene: Scene) -> KnownImage:
    """Everything about a scene that a question can ask for."""
    objects = known_objects(scene)
    classes: dict[str, tuple[KnownObject, ...]] = {}
    for one in objects:
        classes[one.noun] = (*classes.get(one.noun, ()), one)

    @cache
    def test(i: int, relation: Relation, j: int) -> bool | None:
        a, b = scene.objects[i], scene.objects[j]
        if holds(relation, a, b, scene):
            return True
        return False if is_ruled_out(relation, a, b, scene) else None

    def relation(a: KnownObject, relation: Relation, b: KnownObject) -> bool | None:
        return test(a.index, relation, b.index)

    possible = CATEGORIES[scene.spec.subject]
    return KnownImage(
        width=scene.spec.width,
        height=scene.spec.height,
        objects=objects,
        classes=classes,
        pointable=classes,
        absent=tuple(noun for noun in possible if noun not in classes),
        relation=relation,
        proves=relation,
        possible_nouns=possible,
        possible_colors=tuple(COLORS),
        caption=there_is([one.grounding for one in objects]),
        phrases_name_color=True,
    )
