"""Words that refer to objects: "cup", "red cup", "leftmost cup", "object left of the lamp"."""

from dataclasses import dataclass
from typing import Final

from groundrl.questions.box_relations import LARGEST, LEFTMOST, RIGHTMOST
from groundrl.questions.known import KnownImage, KnownObject
from groundrl.relations import Relation

ANY: Final = "object"
"""The noun that stands for every class."""
REFERRING_RELATIONS: Final = (
    Relation.LEFT_OF,
    Relation.RIGHT_OF,
    Relation.IN_FRONT_OF,
    Relation.BEHIND,
    Relation.ON,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """A description of objects, without an article."""

    noun: str = ANY
    color: str | None = None
    extreme: str = ""
    """"leftmost", "rightmost" or "largest" of the class; empty for none."""
    relation: Relation | None = None
    landmark: "Reference | None" = None
    """What the relation is to; it means one object."""

    @property
    def name(self) -> str:
        """Without the relation: "red cup"."""
        return " ".join(word for word in (self.extreme, self.color, self.noun) if word)

    @property
    def text(self) -> str:
        """ "cup left of the lamp"."""
        if self.landmark is None:
            return self.name
        return f"{self.name} {self.relation} the {self.landmark.text}"


def objects_meant(reference: Reference, image: KnownImage) -> list[KnownObject] | None:
    """Every object that the words mean; None where it is not certain which ones they are."""
    if image.uncertain if reference.noun == ANY else reference.noun in image.uncertain:
        return None
    found = [one for one in image.objects if reference.noun in (ANY, one.noun)]
    if reference.color is not None:
        if any(one.color is None for one in found):
            return None
        found = [one for one in found if one.color == reference.color]
    if reference.landmark is not None and reference.relation is not None:
        landmark = object_meant(reference.landmark, image)
        if landmark is None:
            return None
        found = [one for one in found if one is not landmark]
        verdicts = [image.proves(one, reference.relation, landmark) for one in found]
        if None in verdicts:
            return None
        found = [one for one, verdict in zip(found, verdicts, strict=True) if verdict]
    return _furthest(found, reference.extreme) if reference.extreme else found


def object_meant(reference: Reference, image: KnownImage) -> KnownObject | None:
    """The one object that the words mean; None where they may mean another number of objects."""
    found = objects_meant(reference, image)
    return found[0] if found is not None and len(found) == 1 else None


def _furthest(objects: list[KnownObject], extreme: str) -> list[KnownObject] | None:
    measure = {
        LEFTMOST: lambda one: -one.box.center[0],
        RIGHTMOST: lambda one: one.box.center[0],
        LARGEST: lambda one: one.box.area,
    }[extreme]
    ranked = sorted(objects, key=measure, reverse=True)
    if len(ranked) < 2 or measure(ranked[0]) == measure(ranked[1]):
        return None
    return ranked[:1]


def short_reference(one: KnownObject, image: KnownImage) -> Reference | None:
    """The shortest reference to this object without a relation: "cup", else "red cup", else
    None."""
    if one in image.alone_in_class:
        return Reference(noun=one.noun)
    return Reference(noun=one.noun, color=one.color) if one in image.alone_in_color else None


def relational_references(
    one: KnownObject, image: KnownImage
) -> list[tuple[Reference, KnownObject]]:
    """References that only a relation makes unique, each with its landmark: "cup left of the lamp",
    "object on the red box".

    The noun alone never decides, and no other object of that noun is a borderline case.
    """
    found = []
    names = [(other, short_reference(other, image)) for other in image.objects]
    for noun in (one.noun, ANY):
        rivals = [o for o in image.objects if o is not one and noun in (o.noun, ANY)]
        for landmark, name in names:
            if landmark is one or name is None or landmark.noun == noun:
                continue
            others = [rival for rival in rivals if rival is not landmark]
            found += [
                (Reference(noun=noun, relation=relation, landmark=name), landmark)
                for relation in REFERRING_RELATIONS
                if others
                and image.relation(one, relation, landmark) is True
                and all(image.relation(other, relation, landmark) is False for other in others)
            ]
    return found
