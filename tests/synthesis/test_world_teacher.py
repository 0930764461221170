"""The embedded teacher: exact captions, apart from the errors that it plants and records."""

from collections import Counter
from pathlib import Path

import pytest
from synthesis_views import region, scene, scene_image, true_regions, view

from groundrl.detectors.records import InputImage
from groundrl.errors import UserError
from groundrl.language.reading import parse_caption
from groundrl.records import ImageFile
from groundrl.synthesis.annotations import PLANTABLE_KINDS, Caption, ErrorKind
from groundrl.synthesis.crops import Cropping, make_crops
from groundrl.synthesis.roles import ImageView
from groundrl.synthesis.teachers.world import WorldTeacher
from groundrl.world.graph import Subject
from groundrl.world.relations import holds


def views(count: int, subject: Subject = Subject.TABLETOP) -> list[ImageView]:
    found: list[ImageView] = []
    for index in range(count):
        image = scene_image(index, subject=subject)
        regions = true_regions(image)
        crops = make_crops(regions, image.source, Cropping())
        found += [view(image, regions, crop) for crop in (None, *crops)]
    return found


VIEWS = views(60) + views(60, Subject.STREET)


def captions(teacher: WorldTeacher, shown: list[ImageView]) -> list[Caption]:
    return [caption for caption in teacher(shown) if caption is not None]


def wrong_statements(caption: Caption, shown: ImageView) -> set[ErrorKind]:
    """Judged by the scene itself, statement by statement."""
    world = scene(shown.image)
    things = list(world.objects)
    text = caption.text
    nouns = {thing.category for thing in things} | {"lamp", "cup", "ball", "book", "bottle"}
    nouns |= {"bowl", "box", "candle", "bin", "bus", "car", "cone", "house", "hydrant", "sign"}
    reading = parse_caption(text, nouns | {"tree"})
    found: set[ErrorKind] = set()
    for mention in reading.mentions:
        named = [t for t in things if t.category == mention.noun]
        colored = [t for t in named if mention.color in (None, t.color)]
        if not named:
            found.add(ErrorKind.OBJECT)
        elif not colored:
            found.add(ErrorKind.ATTRIBUTE)
        if mention.number is not None and shown.crop is None and mention.number != len(named):
            found.add(ErrorKind.COUNT)
    for said in reading.relations:
        pairs = [
            (a, b)
            for a in things
            for b in things
            if (a.color, a.category) == (said.subject.color, said.subject.noun)
            and (b.color, b.category) == (said.object.color, said.object.noun)
        ]
        # Planted relations are ruled out; other true ones hold. Nothing between is ever said.
        if pairs and not any(holds(said.relation, a, b, world) for a, b in pairs):
            found.add(ErrorKind.RELATION)
    return found


@pytest.mark.slow
def test_captions_without_planted_errors_are_true_of_the_scene() -> None:
    for caption, shown in zip(captions(WorldTeacher(error_rate=0.0), VIEWS), VIEWS, strict=True):
        assert caption.planted == ()
        assert wrong_statements(caption, shown) == set(), caption.text


@pytest.mark.slow
def test_a_caption_has_at_most_one_planted_error_and_its_text_contains_it() -> None:
    kinds: Counter[ErrorKind] = Counter()
    for caption, shown in zip(captions(WorldTeacher(error_rate=1.0), VIEWS), VIEWS, strict=True):
        (flaw,) = caption.planted
        kinds[flaw.kind] += 1
        assert flaw.span in caption.text
        if shown.crop is None:  # what is wrong of a crop may be true of the image
            assert flaw.kind in wrong_statements(caption, shown), caption
    assert set(kinds) == set(PLANTABLE_KINDS)
    assert min(kinds.values()) > 0.08 * len(VIEWS)


@pytest.mark.slow
def test_errors_are_planted_at_the_error_rate_and_a_higher_rate_adds_errors() -> None:
    some = captions(WorldTeacher(error_rate=0.15), VIEWS)
    more = captions(WorldTeacher(error_rate=0.3), VIEWS)
    n = len(VIEWS)
    assert abs(sum(bool(c.planted) for c in some) / n - 0.15) < 3 * (0.15 * 0.85 / n) ** 0.5
    assert all(a == b for a, b in zip(some, more, strict=True) if a.planted or not b.planted)


@pytest.mark.slow
def test_captions_depend_on_the_seed_and_not_on_the_order() -> None:
    teacher = WorldTeacher(error_rate=0.3)
    assert list(reversed(captions(teacher, VIEWS[::-1]))) == captions(teacher, VIEWS)
    assert captions(WorldTeacher(error_rate=0.3, seed=1), VIEWS) != captions(teacher, VIEWS)


def test_photographs_are_described_by_their_regions() -> None:
    image = ImageFile(path=Path("photo.jpg"), width=160, height=160)
    photo = InputImage(id="photo.jpg", source=image, digest="photo")
    regions = [region("dog", 0, 0, 30, 30), region("dog", 100, 0, 130, 30)]
    shown = view(photo, [*regions, region("wine glass", 60, 0, 80, 30)])
    (caption,) = captions(WorldTeacher(error_rate=1.0), [shown])
    assert caption.planted == ()
    assert "There are two dogs in all." in caption.text
    assert "wine glass" in caption.text


def test_an_error_rate_outside_0_to_1_is_an_error() -> None:
    with pytest.raises(UserError, match=r"error_rate=2"):
        WorldTeacher(error_rate=2.0)
