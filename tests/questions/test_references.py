"""Words mean certain objects, or it is not certain which ones they mean."""

from dataclasses import replace

from synthesis_views import box

from groundrl.questions.boxes import known_from_boxes
from groundrl.questions.known import KnownImage, KnownObject
from groundrl.questions.references import Reference, object_meant, objects_meant, short_reference
from groundrl.relations import Relation


def one(index: int, noun: str, color: str | None, left: float) -> KnownObject:
    return KnownObject(index=index, noun=noun, color=color, box=box(left, 10, left + 20, 40))


RED, BLUE = one(0, "cup", "red", 0), one(1, "cup", "blue", 60)
LAMP, PLAIN = one(2, "lamp", "gray", 120), one(3, "cup", None, 160)


def known(*objects: KnownObject, uncertain: tuple[str, ...] = ()) -> KnownImage:
    return known_from_boxes(
        objects, width=200, height=100, names=("cup", "lamp", "dog"), uncertain=frozenset(uncertain)
    )


def test_words_mean_all_objects_that_they_describe() -> None:
    image = known(RED, BLUE, LAMP)
    assert objects_meant(Reference(noun="cup"), image) == [RED, BLUE]
    assert objects_meant(Reference(noun="cup", color="red"), image) == [RED]
    assert objects_meant(Reference(), image) == [RED, BLUE, LAMP]
    assert objects_meant(Reference(noun="dog"), image) == []
    lamp = Reference(noun="lamp")
    beside = Reference(relation=Relation.LEFT_OF, landmark=lamp)
    assert objects_meant(beside, image) == [RED, BLUE]
    assert object_meant(Reference(noun="cup", extreme="rightmost"), image) == BLUE


def test_an_unknown_colour_or_number_leaves_it_open() -> None:
    assert objects_meant(Reference(noun="cup", color="red"), known(RED, PLAIN)) is None
    assert objects_meant(Reference(noun="cup"), known(RED, uncertain=("cup",))) is None
    assert objects_meant(Reference(color="red"), known(RED, uncertain=("lamp",))) is None
    beside = Reference(noun="cup", relation=Relation.LEFT_OF, landmark=Reference(noun="lamp"))
    assert objects_meant(beside, known(RED, replace(LAMP, box=RED.box))) is None


def test_the_shortest_reference_names_no_colour_that_it_does_not_need() -> None:
    assert short_reference(LAMP, known(RED, LAMP)) == Reference(noun="lamp")
    assert short_reference(RED, known(RED, BLUE)) == Reference(noun="cup", color="red")
    assert short_reference(RED, known(RED, PLAIN)) is None
    assert short_reference(RED, known(RED, replace(RED, index=1))) is None
