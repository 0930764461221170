"""Mirrored training images: boxes follow their pixels."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from groundrl.boxes import Box, Frame
from groundrl.data.build import detection_module
from groundrl.data.detection.base import AnnotatedImage, DetectionSet
from groundrl.data.detection.flips import Flip, add_flips, flip_image
from groundrl.data.detection.yolo import YoloLayout
from groundrl.records import Grounding

WAYS: list[tuple[Flip, ...]] = [("horizontal",), ("vertical",), ("horizontal", "vertical")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Canvas:
    """A black image with one white rectangle."""

    key: str = "canvas"
    width: int = 40
    height: int = 30
    white: Box

    def load(self) -> Image.Image:
        pixels = np.zeros((self.height, self.width, 3), np.uint8)
        x1, y1, x2, y2 = map(int, self.white.corners)
        pixels[y1:y2, x1:x2] = 255
        return Image.fromarray(pixels)


@st.composite
def canvases(draw: st.DrawFn) -> AnnotatedImage:
    x1, y1 = draw(st.integers(0, 39)), draw(st.integers(0, 29))
    x2, y2 = draw(st.integers(x1 + 1, 40)), draw(st.integers(y1 + 1, 30))
    box = Box(x1=float(x1), y1=float(y1), x2=float(x2), y2=float(y2), frame=Frame.PIXEL)
    return AnnotatedImage(
        id="c", image=Canvas(white=box), groundings=(Grounding(label="patch", box=box),)
    )


@given(canvases(), st.sampled_from(WAYS))
def test_the_box_is_around_the_same_pixels(image: AnnotatedImage, way: tuple[Flip, ...]) -> None:
    flipped = flip_image(image, way)
    rows, columns = np.nonzero(np.asarray(flipped.image.load())[..., 0])
    around = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
    assert flipped.groundings[0].box.corners == around
    assert (flipped.image.width, flipped.image.height) == (image.image.width, image.image.height)


@given(canvases(), st.sampled_from(WAYS))
def test_mirroring_twice_changes_nothing(image: AnnotatedImage, way: tuple[Flip, ...]) -> None:
    twice = flip_image(flip_image(image, way), way)
    assert twice.groundings == image.groundings
    assert np.array_equal(np.asarray(twice.image.load()), np.asarray(image.image.load()))


def test_left_changes_places_with_right_and_top_with_bottom() -> None:
    box = Box(x1=0.0, y1=0.0, x2=10.0, y2=5.0, frame=Frame.PIXEL)
    image = AnnotatedImage(
        id="c", image=Canvas(white=box), groundings=(Grounding(label="patch", box=box),)
    )
    found = [flip_image(image, way).groundings[0].box.corners for way in WAYS]
    assert found == [(30, 0, 40, 5), (0, 25, 10, 30), (30, 25, 40, 30)]


@pytest.mark.parametrize(
    ("flips", "ids"),
    [
        ([], ["c"]),
        (["vertical"], ["c", "c:vertical"]),
        (["horizontal", "horizontal"], ["c", "c:horizontal"]),
        (
            ["horizontal", "vertical"],
            ["c", "c:horizontal", "c:vertical", "c:horizontal+vertical"],
        ),
    ],
)
def test_every_image_is_there_as_it_is_and_in_each_way(flips: list[Flip], ids: list[str]) -> None:
    box = Box(x1=0.0, y1=0.0, x2=10.0, y2=5.0, frame=Frame.PIXEL)
    image = AnnotatedImage(
        id="c", image=Canvas(white=box), groundings=(Grounding(label="patch", box=box),)
    )
    whole = DetectionSet(name="set", split="train", names=("patch",), images=(image,))
    images = add_flips(whole, flips).images
    assert [one.id for one in images] == ids
    assert images[0] is image
    assert len({one.image.key for one in images}) == len(ids)


def test_training_images_are_mirrored_and_those_held_out_are_not(
    tmp_path: Path, image_file: Callable[..., Path]
) -> None:
    (tmp_path / "classes.txt").write_text("cat\n")
    (tmp_path / "labels").mkdir()
    for number in range(5):
        image_file(tmp_path / f"images/{number}.jpg")
        (tmp_path / f"labels/{number}.txt").write_text("0 0.3 0.5 0.4 0.5\n")
    module = detection_module(
        layout=YoloLayout(),
        root=tmp_path,
        train_split=None,
        heldout_split=0.2,
        kinds=["locate"],
        flips=["horizontal"],
    )
    samples = [module.train[index] for index in range(len(module.train))]
    boxes = {sample.groundings[0].box.x1 / sample.image.width for sample in samples}
    assert {round(x, 3) for x in boxes} == {0.1, 0.5}
    assert len(samples) == 8
    (heldout,) = [module.heldout["heldout"][0]]
    assert "flipped" not in heldout.image.key
