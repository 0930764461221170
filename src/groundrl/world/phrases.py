"""Names for objects: what a reader of the question can resolve to one object only."""

from collections.abc import Sequence
from dataclasses import dataclass

from groundrl.records import Grounding, Segments
from groundrl.relations import Relation
from groundrl.world.graph import Scene, SceneObject
from groundrl.world.relations import holds, is_ruled_out

NUMBERS = ("zero", "one", "two", "three", "four", "five")

REFERRING_RELATIONS = (
    Relation.LEFT_OF,
    Relation.RIGHT_OF,
    Relation.IN_FRONT_OF,
    Relation.BEHIND,
    Relation.ON,
)


def label(thing: SceneObject) -> str:
    """The one way an object is named in a grounding: "red cup"."""
    return f"{thing.color} {thing.category}"


def with_article(noun: str) -> str:
    """ "a red cup", "an orange cup"."""
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"


def plural(category: str) -> str:
    """ "cups", "boxes", "buses"."""
    return category + ("es" if category.endswith(("s", "x", "ch", "sh")) else "s")


def weave(*parts: str | SceneObject) -> Segments:
    """Text with every object turned into a grounding; neighbouring strings become one."""
    woven: list[str | Grounding] = []
    for part in parts:
        if isinstance(part, SceneObject):
            woven.append(Grounding(label=label(part), box=part.box))
        elif woven and isinstance(previous := woven[-1], str):
            woven[-1] = previous + part
        elif part:
            woven.append(part)
    return tuple(woven)


def listing(things: Sequence[SceneObject], article: str | None) -> list[str | SceneObject]:
    """Parts of "the A, the B and the C"; with ``article=None`` parts of "a A, an B and a C"."""
    parts: list[str | SceneObject] = []
    for i, thing in enumerate(things):
        if i > 0:
            parts.append(" and " if i == len(things) - 1 else ", ")
        word = with_article(label(thing)).split()[0] if article is None else article
        parts += [f"{word} ", thing]
    return parts


def capitalized(segments: Segments) -> Segments:
    """The same text with a capital first letter, where it starts with a string."""
    if segments and isinstance(first := segments[0], str):
        return (first[:1].upper() + first[1:], *segments[1:])
    return segments


def with_unique_label(scene: Scene) -> list[SceneObject]:
    """Objects that no other object shares colour and category with."""
    labels = [label(thing) for thing in scene.objects]
    return [thing for thing in scene.objects if labels.count(label(thing)) == 1]


def with_unique_category(scene: Scene) -> list[SceneObject]:
    """Objects that are the only one of their category."""
    categories = [thing.category for thing in scene.objects]
    return [thing for thing in scene.objects if categories.count(thing.category) == 1]


def reference(scene: Scene, thing: SceneObject) -> str | None:
    """The shortest name without relations: "cup", else "red cup", else None."""
    if thing in with_unique_category(scene):
        return thing.category
    return label(thing) if thing in with_unique_label(scene) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class RelationalReference:
    """A name that needs a second object: "cup left of the lamp"."""

    noun: str
    relation: Relation
    landmark: SceneObject
    landmark_name: str

    @property
    def text(self) -> str:
        """Without an article in front."""
        return f"{self.noun} {self.relation} the {self.landmark_name}"


def relational_references(scene: Scene, thing: SceneObject) -> list[RelationalReference]:
    """Names that only a relation makes unique: "cup left of the lamp", "object on the red box".

    The noun alone never decides, and no other object of that noun is a borderline case.
    """
    found = []
    for noun in (thing.category, "object"):
        rivals = [
            other
            for other in scene.objects
            if other != thing and noun in (other.category, "object")
        ]
        for landmark in scene.objects:
            name = reference(scene, landmark)
            if landmark == thing or name is None or landmark.category == noun:
                continue
            others = [rival for rival in rivals if rival != landmark]
            found += [
                RelationalReference(
                    noun=noun, relation=relation, landmark=landmark, landmark_name=name
                )
                for relation in REFERRING_RELATIONS
                if others
                and holds(relation, thing, landmark, scene)
                and all(is_ruled_out(relation, other, landmark, scene) for other in others)
            ]
    return found
