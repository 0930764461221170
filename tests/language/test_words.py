"""Class names as English words."""

import pytest

from groundrl.evaluation.benchmarks.chair import COCO_CLASSES
from groundrl.language.words import is_plural, plural, singulars, verb_be, with_article


@pytest.mark.parametrize(
    ("name", "many", "one"),
    [
        ("dog", "dogs", "a dog"),
        ("oven", "ovens", "an oven"),
        ("wine glass", "wine glasses", "a wine glass"),
        ("person", "people", "a person"),
        ("toothbrush", "toothbrushes", "a toothbrush"),
        ("butterfly", "butterflies", "a butterfly"),
        ("toy", "toys", "a toy"),
        ("sheep", "sheep", "a sheep"),
        ("bus", "buses", "a bus"),
        ("tennis racket", "tennis rackets", "a tennis racket"),
        ("lens", "lenses", "a lens"),
        ("gas", "gases", "a gas"),
        ("RBC", "RBCs", "an RBC"),
        ("USB stick", "USB sticks", "a USB stick"),
        ("men at work", "men at work", "men at work"),
        ("bottle of water", "bottles of water", "a bottle of water"),
        ("person without gloves", "people without gloves", "a person without gloves"),
        ("WBC", "WBCs", "a WBC"),
        ("skis", "skis", "skis"),
        ("Platelets", "Platelets", "Platelets"),
        ("cars", "cars", "cars"),
        ("people", "people", "people"),
        ("pedestrians", "pedestrians", "pedestrians"),
        ("jeans", "jeans", "jeans"),
        ("scissors", "scissors", "scissors"),
        ("glasses", "glasses", "glasses"),
        ("pizzas", "pizzas", "pizzas"),
        ("taxis", "taxis", "taxis"),
        ("traffic lights", "traffic lights", "traffic lights"),
        ("Children", "Children", "Children"),
    ],
)
def test_class_names_become_english(name: str, many: str, one: str) -> None:
    assert (plural(name), with_article(name)) == (many, one)
    assert verb_be(name) == ("are" if many == name and one == name else "is")


def test_of_the_classes_of_coco_only_skis_and_scissors_are_plurals() -> None:
    assert {name for name in COCO_CLASSES if is_plural(name)} == {"skis", "scissors"}
    assert all(
        is_plural(plural(name)) for name in COCO_CLASSES if name not in ("sheep", "broccoli")
    )


@pytest.mark.parametrize("name", ["Platelets", "dog", "person", "bus", "potted plant"])
def test_the_plural_of_a_plural_is_itself(name: str) -> None:
    assert plural(plural(name)) == plural(name)


@pytest.mark.parametrize(
    ("many", "one"),
    [
        *[("knives", "knife"), ("shelves", "shelf"), ("people", "person"), ("firemen", "fireman")],
        *[("buses", "bus"), ("horses", "horse"), ("puppies", "puppy"), ("movies", "movie")],
        *[("quizzes", "quiz"), ("mice", "mouse"), ("dishes", "dish"), ("dogs", "dog")],
    ],
)
def test_a_singular_is_among_those_of_its_plural(many: str, one: str) -> None:
    assert one in singulars(many)


@pytest.mark.parametrize("word", ["glass", "dog", ""])
def test_what_is_no_plural_has_no_singular(word: str) -> None:
    assert list(singulars(word)) == []
