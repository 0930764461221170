"""What the boxes of a data set say about its classes, and what they leave open."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from groundrl.boxes import Box, Frame
from groundrl.data.box_questions import ask_all
from groundrl.data.detection.base import AnnotatedImage, DetectionSet, uncertain_classes
from groundrl.data.detection.classes import ClassOptions, name_classes
from groundrl.errors import UserError
from groundrl.records import Grounding, ImageFile


def image(
    *labels: str, uncounted: Sequence[str] = (), denied: Sequence[str] | None = None
) -> AnnotatedImage:
    """Boxes of these classes, side by side."""
    return AnnotatedImage(
        id="-".join(labels),
        image=ImageFile(path=Path("p.jpg"), width=400, height=100),
        groundings=tuple(
            Grounding(
                label=label,
                box=Box(x1=50.0 * i, y1=10.0, x2=50.0 * i + 40, y2=90.0, frame=Frame.PIXEL),
            )
            for i, label in enumerate(labels)
        ),
        uncounted=frozenset(uncounted),
        denied=None if denied is None else frozenset(denied),
    )


def data_set(
    names: Sequence[str],
    *images: AnnotatedImage,
    wider: Mapping[str, Sequence[str]] | None = None,
) -> DetectionSet:
    return DetectionSet(
        name="set",
        split="train",
        names=tuple(names),
        images=images,
        wider={name: frozenset(above) for name, above in (wider or {}).items()},
    )


def named(found: DetectionSet, **options: object) -> DetectionSet:
    return name_classes(found, ClassOptions(**options))  # pyright: ignore[reportArgumentType]


def open_classes(found: DetectionSet) -> list[set[str]]:
    """Of which there may be more than the boxes show, by image."""
    return [set(uncertain_classes(one, found.names)) for one in found.images]


def test_a_group_without_boxes_is_no_class() -> None:
    found = data_set(
        ["animals", "cat", "dog"],
        *(image("cat") for _ in range(8)),
        wider={"cat": ["animals"], "dog": ["animals"]},
    )
    assert named(found).names == ("cat", "dog")
    asked = " ".join(f"{s.question} {s.options}" for s in ask_all(found, seed=0))
    assert "animal" not in asked
    assert "Is there a dog" in asked


def test_a_class_and_its_wider_class_leave_each_other_open() -> None:
    found = named(
        data_set(
            ["animal", "cat", "dog", "car"],
            *(image("cat"), image("animal"), image("car")),
            wider={"cat": ["animal"], "dog": ["animal"]},
        )
    )
    assert open_classes(found) == [{"animal"}, {"cat", "dog"}, set()]


@pytest.mark.parametrize(
    ("one", "other"),
    [("person", "pedestrian"), ("vehicle", "car"), ("ball", "sports ball"), ("sofa", "couch")],
)
def test_classes_that_may_name_the_same_object_leave_each_other_open(one: str, other: str) -> None:
    found = named(data_set([one, other, "cup"], image(one), image(other), image("cup")))
    assert open_classes(found) == [{other}, {one}, set()]


def test_a_hot_dog_is_no_dog() -> None:
    found = named(data_set(["dog", "hot dog"], image("hot dog"), image("dog")))
    assert open_classes(found) == [set(), set()]


def test_spellings_of_a_class_are_one_class() -> None:
    found = named(data_set(["Cat", "cat", "traffic_lights"], image("Cat", "cat", "traffic_lights")))
    assert found.names == ("cat", "traffic light")
    labels = [item.label for item in found.images[0].groundings]
    assert labels == ["cat", "cat", "traffic light"]
    assert open_classes(found) == [set()]


def test_background_is_no_class_and_an_ignored_region_hides_every_class(
    caplog: pytest.LogCaptureFixture,
) -> None:
    found_in_file = data_set(
        ["__background__", "ignored regions", "van", "bus", "others"],
        image("van", "others"),
        image("van", "ignored regions"),
        image("van", uncounted=["ignored regions"]),
    )
    found = named(found_in_file)
    assert found.names == ("van", "bus")
    assert [[g.label for g in one.groundings] for one in found.images] == [["van"]] * 3
    assert open_classes(found) == [set(), {"van", "bus"}, {"van", "bus"}]
    told = named(found_in_file, names={"ignored regions": None})
    assert (told.names, open_classes(told)) == (("van", "bus"), [set(), set(), set()])
    assert "left out the boxes of ignored regions, others" in caplog.text
    assert "data.names={ignored regions: <noun>}" in caplog.text


def test_where_nothing_is_certain_the_error_says_so() -> None:
    found = data_set(["van", "ignore"], image("van", "ignore"))
    with pytest.raises(UserError, match="in 1 of 1 images all of them may be there undrawn"):
        ask_all(found, seed=0)


def test_only_verified_classes_are_absent_where_annotators_say_which() -> None:
    names = ["cat", "dog", "Dog", "cup"]
    found = named(data_set(names, image("cat", denied=["cup", "dog"]), image("cat", denied=names)))
    assert found.names == ("cat", "dog", "cup")
    # "Dog" was not looked for in the first image, and it is the same class.
    assert open_classes(found) == [{"dog"}, set()]


def test_the_user_names_classes_and_takes_them_out() -> None:
    found = data_set(["no_mask", "cup", "van", "other"], image("no_mask", "cup", "van", "other"))
    names = {"no_mask": "bare face", "cup": None, "other": "other vehicle"}
    chosen = named(found, names=names)
    assert chosen.names == ("bare face", "van", "other vehicle")
    assert len(chosen.images[0].groundings) == 3
    assert named(found).names == ("person without a mask", "cup", "van")


def test_a_class_has_the_same_noun_in_every_split() -> None:
    found = data_set(["zone 1", "other"], image("zone 1"))
    assert named(found).names == ("zone",)
    assert named(found, other_splits=["zone 1", "zone 2", "other"]).names == ("zone 1",)


def test_classes_that_may_have_been_missed_are_never_absent(
    caplog: pytest.LogCaptureFixture,
) -> None:
    found = data_set(["cat", "dog", "cup"], image("cat"))
    assert open_classes(named(found, never_absent=["dog"])) == [{"dog"}]
    assert open_classes(named(found, never_absent="all")) == [{"dog", "cup"}]
    with caplog.at_level(logging.INFO):
        answers = {
            sample.answers
            for seed in range(10)
            for sample in ask_all(
                found, seed=seed, kinds=["exists"], classes=ClassOptions(never_absent="all")
            )
        }
    assert answers == {("yes",)}


def test_options_that_name_no_class_are_errors_with_the_classes() -> None:
    for options, told in (
        (ClassOptions(names={"dgo": "dog"}), "data.names: there is no class dgo; choose from cat"),
        (ClassOptions(never_absent=["dgo"]), "data.never_absent: there is no class dgo"),
        (ClassOptions(names={"dog": " "}), "data.names: type a noun for dog, or null"),
        (ClassOptions(never_absent="dog"), r"type data.never_absent=\[dog\], or =all"),
    ):
        with pytest.raises(UserError, match=told):
            options.check(["cat", "dog"], "data")
