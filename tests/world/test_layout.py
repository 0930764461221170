"""Where things stand: counts, names, support, room."""

from collections import Counter
from dataclasses import replace

import pytest

from groundrl.errors import UserError
from groundrl.world.graph import Look, Scene, SceneSpec, Subject
from groundrl.world.layout import draw_layout
from groundrl.world.render import build_scene
from groundrl.world.things import draw_things, generator
from groundrl.world.vocabulary import CATEGORIES, COLORS, MATERIALS, SIZES

BOTH = list(Subject)


def scenes(
    subject: Subject, count: int = 40, min_objects: int = 3, max_objects: int = 5
) -> list[Scene]:
    spec = SceneSpec(
        seed=7, index=0, subject=subject, min_objects=min_objects, max_objects=max_objects
    )
    return [build_scene(replace(spec, index=i)) for i in range(count)]


@pytest.mark.parametrize("subject", BOTH)
def test_every_count_between_the_limits_appears(subject: Subject) -> None:
    counts = Counter(
        len(draw_things(spec, generator(spec, 0)))
        for spec in (
            SceneSpec(seed=1, index=i, subject=subject, min_objects=2, max_objects=5)
            for i in range(400)
        )
    )
    assert set(counts) == {2, 3, 4, 5}
    assert min(counts.values()) > 60


@pytest.mark.parametrize("subject", BOTH)
def test_words_come_from_the_vocabulary(subject: Subject) -> None:
    for scene in scenes(subject):
        for item in scene.objects:
            assert item.category in CATEGORIES[subject]
            assert item.color in COLORS
            assert item.material in MATERIALS
            assert item.size in SIZES


@pytest.mark.parametrize("subject", BOTH)
def test_colour_and_category_name_one_object(subject: Subject) -> None:
    repeats = 0
    for scene in scenes(subject, min_objects=1, max_objects=8):
        names = [(item.color, item.category) for item in scene.objects]
        assert len(set(names)) == len(names)
        repeats += len({item.category for item in scene.objects}) < len(names)
    assert repeats > 5


@pytest.mark.parametrize("subject", BOTH)
def test_both_looks_show_the_same_objects_in_the_same_places(subject: Subject) -> None:
    for scene in scenes(subject, count=10):
        other = build_scene(replace(scene.spec, look=Look.PHOTO))
        assert other.objects == scene.objects


@pytest.mark.parametrize("subject", BOTH)
def test_objects_are_listed_near_to_far(subject: Subject) -> None:
    for scene in scenes(subject):
        depths = [item.depth for item in scene.objects]
        assert depths == sorted(depths)


@pytest.mark.slow
def test_a_carried_object_stands_on_the_top_of_a_larger_one() -> None:
    carried = 0
    for scene in scenes(Subject.TABLETOP, count=80) + scenes(Subject.STREET, count=80):
        for item in scene.objects:
            if item.support is None:
                assert item.position[1] == 0
                continue
            below = scene.objects[item.support]
            assert below.category in {"box", "book", "bin"}
            assert (below.size, item.size) == ("large", "small")
            assert item.position[1] == pytest.approx(below.position[1] + below.extent[1])
            for axis in (0, 2):
                offset = abs(item.position[axis] - below.position[axis])
                assert offset < below.extent[axis] / 2
            carried += 1
    assert carried > 10


@pytest.mark.parametrize("subject", BOTH)
def test_footprints_on_the_ground_do_not_meet(subject: Subject) -> None:
    for scene in scenes(subject, min_objects=8, max_objects=8, count=8):
        ground = [item for item in scene.objects if item.support is None]
        for i, a in enumerate(ground):
            for b in ground[:i]:
                apart = [
                    abs(a.position[k] - b.position[k]) > (a.extent[k] + b.extent[k]) / 2
                    for k in (0, 2)
                ]
                assert any(apart)


@pytest.mark.slow
def test_large_is_larger_than_small_for_every_class() -> None:
    for subject in BOTH:
        heights: dict[tuple[str, str], list[float]] = {}
        for scene in scenes(subject, count=60, min_objects=3, max_objects=8):
            for item in scene.objects:
                heights.setdefault((item.category, item.size), []).append(item.extent[1])
        for category in CATEGORIES[subject]:
            assert min(heights[category, "large"]) > 1.4 * max(heights[category, "small"])


def test_every_attempt_is_another_arrangement_of_the_same_things() -> None:
    spec = SceneSpec(seed=0, index=0, min_objects=3, max_objects=3)
    things = draw_things(spec, generator(spec, 0))
    first, again, second = (draw_layout(spec, things, k) for k in (0, 0, 1))
    assert first is not None
    assert again is not None
    assert second is not None
    assert [item.origin for item in first] == [item.origin for item in again]
    assert {item.origin for item in first}.isdisjoint(item.origin for item in second)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"min_objects": 0}, "1 to 8 objects"),
        ({"max_objects": 9}, "1 to 8 objects"),
        ({"min_objects": 6, "max_objects": 5}, "1 to 8 objects"),
        ({"seed": -1}, "count from 0"),
        ({"width": 40}, "64 pixels"),
        ({"width": 640}, "between 0.75 and 3"),
    ],
)
def test_an_impossible_spec_is_refused_with_advice(fields: dict[str, int], words: str) -> None:
    spec = replace(SceneSpec(seed=0, index=0), **fields)
    with pytest.raises(UserError, match=words):
        build_scene(spec)
