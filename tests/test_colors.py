"""The colour of what is in a box."""

import numpy as np
import pytest
from attempts import box
from PIL import Image

from groundrl.boxes import Box
from groundrl.colors import VISIBLE, visible_colors


def halves(width: int, height: int) -> Image.Image:
    """Red on the left, blue on the right."""
    image = Image.new("RGB", (width, height), "red")
    image.paste("blue", (width // 2, 0, width, height))
    return image


@pytest.mark.parametrize(
    ("at", "colors"),
    [
        (box(0, 0, 20, 40), ("red",)),
        (box(20, 0, 40, 40), ("blue",)),
        (box(10, 10, 10, 10), ("red",)),
        (box(40, 40, 40, 40), ("blue",)),
        (box(-10, -10, 35, 50), ("red", "blue")),
        (box(50, 0, 60, 10), ()),
        (box(-60, 0, -50, 10), ()),
        (box(0, 0, 1e6, 1e6), ("blue", "red")),
    ],
)
def test_the_pixels_in_the_middle_of_the_box_that_are_in_the_image_count(
    at: Box, colors: tuple[str, ...]
) -> None:
    assert set(visible_colors(halves(40, 40), at)) == set(colors)


@pytest.mark.slow
def test_a_large_box_has_the_colours_of_a_small_one() -> None:
    large = halves(4000, 2000)
    assert set(visible_colors(large, box(0, 0, 4000, 2000))) == {"red", "blue"}
    assert visible_colors(large, box(0, 0, 1900, 2000)) == ("red",)


def test_every_name_that_pixels_have_is_declared() -> None:
    rng = np.random.default_rng(0)
    for pixel in rng.integers(0, 256, (300, 3)):
        image = Image.new("RGB", (2, 2), tuple(int(value) for value in pixel))
        assert {*visible_colors(image, box(0, 0, 2, 2))} <= VISIBLE
