"""What is known of an image: its objects, how they stand, and what is certain about them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from groundrl.boxes import Box
from groundrl.records import Grounding, Segments
from groundrl.relations import Relation


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownObject:
    """An object in its box."""

    index: int
    """Its place in the source (a scene, an annotation, a list of captions); unique in an image."""
    noun: str
    """Its class."""
    color: str | None = None
    """None: not known."""
    box: Box
    """PIXEL frame."""

    @property
    def label(self) -> str:
        """ "red cup", or "cup" where the colour is not known."""
        return self.noun if self.color is None else f"{self.color} {self.noun}"

    @property
    def grounding(self) -> Grounding:
        """The label and the box."""
        return Grounding(label=self.label, box=self.box)


RelationTest = Callable[[KnownObject, Relation, KnownObject], bool | None]
"""Whether "the first is <relation> the second": true, false, or None where it is not decided."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownImage:
    """What a source knows of an image."""

    width: int
    height: int
    """Pixels."""
    objects: tuple[KnownObject, ...]
    classes: Mapping[str, tuple[KnownObject, ...]]
    """The objects of each class of which no object is missing, in the order of sentences."""
    pointable: Mapping[str, tuple[KnownObject, ...]]
    """Those of ``classes`` of which a rationale can point at every object."""
    uncertain: frozenset[str] = frozenset()
    """Classes of which there may be more than ``objects`` holds."""
    absent: tuple[str, ...]
    """Classes of which there is none; the source has looked for them."""
    relation: RelationTest
    """With a wide margin: what may be asked."""
    proves: RelationTest
    """With a narrow margin: what the proof of an answer accepts."""
    possible_nouns: tuple[str, ...] = ()
    """Classes that an object of such an image can have, for wrong options."""
    possible_colors: tuple[str, ...] = ()
    """Colours that an object can have, for wrong options."""
    caption: Segments = ()
    """A text that points at objects; empty where the source has none."""
    phrases_name_color: bool = False
    """Whether a phrase that points says "red cup" or "cup"."""

    @property
    def alone_in_class(self) -> list[KnownObject]:
        """Objects that are the only one of their class."""
        return [o for o in self.objects if len(self.classes.get(o.noun, ())) == 1]

    @property
    def unique(self) -> list[KnownObject]:
        """Of ``pointable``, the objects that are the only one of their class."""
        return [items[0] for items in self.pointable.values() if len(items) == 1]

    @property
    def alone_in_color(self) -> list[KnownObject]:
        """Objects that are the only one of their class with their colour."""
        return [
            one
            for one in self.objects
            if one.color is not None
            and one.noun in self.classes
            # A colour that is not known may be the same one.
            and not any(
                other.color in (one.color, None)
                for other in self.classes[one.noun]
                if other.index != one.index
            )
        ]

    def phrase(self, one: KnownObject) -> Grounding:
        """The object as a rationale points at it."""
        return one.grounding if self.phrases_name_color else Grounding(label=one.noun, box=one.box)

    def phrases(self, objects: Sequence[KnownObject]) -> list[Grounding]:
        """Each object as a rationale points at it."""
        return [self.phrase(one) for one in objects]
