"""Names of classes in annotation files become nouns that questions can use."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundrl.language.class_names import nouns_of
from groundrl.language.words import plural


@pytest.mark.parametrize(
    ("name", "noun", "many"),
    [
        ("cars", "car", "cars"),
        ("Pedestrians", "pedestrian", "pedestrians"),
        ("people", "person", "people"),
        ("traffic_light", "traffic light", "traffic lights"),
        ("TrafficLights", "traffic light", "traffic lights"),
        ("traffic-light", "traffic light", "traffic lights"),
        ("t-shirt", "t-shirt", "t-shirts"),
        ("men at work", "man at work", "men at work"),
        ("bottle_of_water", "bottle of water", "bottles of water"),
        ("wine glasses", "wine glass", "wine glasses"),
        ("jeans", "jeans", "jeans"),
        ("skis", "skis", "skis"),
        ("bus", "bus", "buses"),
        ("pottedplant", "potted plant", "potted plants"),
        ("crayon_(wax)", "crayon", "crayons"),
        ("cup_2", "cup", "cups"),
        ("f16", "f16", "f16s"),
        ("no_helmet", "person without a helmet", "people without a helmet"),
        ("NO-Safety Vest", "person without a safety vest", "people without a safety vest"),
        ("without_gloves", "person without a glove", "people without a glove"),
        ("7", "7", "7s"),
    ],
)
def test_a_class_name_becomes_a_noun_with_a_plural(name: str, noun: str, many: str) -> None:
    assert nouns_of([name, "a small letter"])[name] == noun
    assert plural(noun) == many


def test_names_that_differ_in_capitals_and_number_share_a_noun() -> None:
    assert set(nouns_of(["Cat", "CAT", "cat", "cats"]).values()) == {"cat"}


def test_numbers_and_remarks_stay_where_they_tell_classes_apart() -> None:
    assert list(nouns_of(["zone 1", "zone_2", "cup", "cup_2"]).values()) == [
        *("zone 1", "zone 2", "cup", "cup 2"),
    ]
    assert list(nouns_of(["bow_(weapon)", "bow_(ribbon)"]).values()) == [
        *("bow (weapon)", "bow (ribbon)"),
    ]


def test_abbreviations_keep_their_capitals_and_emphasis_does_not() -> None:
    assert list(nouns_of(["Platelets", "RBC", "WBCs"]).values()) == ["platelet", "RBC", "WBC"]
    assert list(nouns_of(["CAR", "BUSES", "RBC"]).values()) == ["car", "bus", "RBC"]


def test_what_is_missing_from_no_person_is_no_thing() -> None:
    assert nouns_of(["no_damage", "damage"]) == {"no_damage": None, "damage": "damage"}


NAMES = st.lists(
    st.text(string.ascii_letters + string.digits + " _-()", min_size=1, max_size=12)
    | st.sampled_from(("cars", "Cat", "cat_2", "no_helmet", "bow_(weapon)", "RBCs")),
    min_size=1,
    max_size=5,
)


@given(NAMES)
def test_every_name_has_one_entry_and_order_does_not_matter(names: list[str]) -> None:
    found = nouns_of(names)
    assert list(found) == list(dict.fromkeys(names))
    assert nouns_of(names[::-1]) == found


@given(NAMES)
def test_nouns_never_differ_in_capitals_alone(names: list[str]) -> None:
    nouns = {noun for noun in nouns_of(names).values() if noun is not None}
    assert len({noun.casefold() for noun in nouns}) == len(nouns)
