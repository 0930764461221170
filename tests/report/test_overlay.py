"""Drawing boxes on images."""

import pytest
from PIL import Image, ImageFont

from groundrl.boxes import Box, Frame, FrameMismatchError
from groundrl.records import Grounding
from groundrl.report.pictures.overlay import BRIGHT, PREDICTED, TRUE, fit_text, overlay


def rgb(color: str) -> tuple[int, int, int]:
    """Of ``#rrggbb``."""
    return int(color[1:3], 16), int(color[3:5], 16), int(color[5:7], 16)


def thing(x1: int, y1: int, x2: int, y2: int, label: str = "") -> Grounding:
    """A grounding in pixels."""
    box = Box(x1=float(x1), y1=float(y1), x2=float(x2), y2=float(y2), frame=Frame.PIXEL)
    return Grounding(label=label, box=box)


GRAY = Image.new("RGB", (160, 120), (90, 90, 90))


@pytest.mark.parametrize(
    ("size", "drawn"),
    [
        ((160, 160), (480, 480)),
        ((160, 80), (480, 240)),
        ((640, 480), (640, 480)),
        ((1, 500), (1, 500)),
    ],
)
def test_small_images_are_enlarged_by_a_whole_factor(
    size: tuple[int, int], drawn: tuple[int, int]
) -> None:
    assert overlay(Image.new("RGB", size), [], []).size == drawn


def test_a_side_sets_the_longer_side() -> None:
    assert overlay(GRAY, [], [], side=80).size == (80, 60)


def test_lines_lie_on_the_boundary_of_the_box() -> None:
    page = overlay(GRAY, [thing(10, 20, 50, 60)], [thing(80, 20, 120, 60)])
    assert page.getpixel((30, 100)) == page.getpixel((149, 100)) == rgb(BRIGHT[TRUE])
    assert page.getpixel((240, 100)) == page.getpixel((359, 100)) == rgb(BRIGHT[PREDICTED])
    assert page.getpixel((90, 120)) == (90, 90, 90)  # nothing is painted inside
    assert page.getpixel((20, 120)) == (90, 90, 90)


@pytest.mark.parametrize("frame", [Frame.MODEL, Frame.UNIT, Frame.PERMILLE])
def test_boxes_of_another_frame_are_refused(frame: Frame) -> None:
    wrong = Grounding(label="cup", box=Box(x1=0.0, y1=0.0, x2=1.0, y2=1.0, frame=frame))
    with pytest.raises(FrameMismatchError, match=f"cannot draw a {frame} box"):
        overlay(GRAY, [], [wrong])
    with pytest.raises(FrameMismatchError):
        overlay(GRAY, [wrong], [])


@pytest.mark.parametrize(
    "corners",
    [(-50, -50, 500, 500), (30, 30, 30, 30), (400, 300, 500, 400), (0, 0, 160, 120)],
    ids=["beyond", "point", "elsewhere", "whole"],
)
def test_any_box_with_any_label_is_drawn(corners: tuple[int, int, int, int]) -> None:
    page = overlay(GRAY, [], [thing(*corners, label="a very long label " * 9)])
    assert rgb(PREDICTED) in {color for _, color in page.getcolors(480 * 360) or []}


def test_labels_stay_inside_the_image_and_apart() -> None:
    alone = overlay(GRAY, [thing(150, 0, 160, 10, "cup")], [])
    both = overlay(GRAY, [thing(150, 0, 160, 10, "cup")], [thing(150, 0, 160, 10, "cup")])
    for page, color, least in ((alone, TRUE, 400), (both, TRUE, 400), (both, PREDICTED, 400)):
        counts = {found: count for count, found in page.getcolors(480 * 360) or []}
        assert counts[rgb(color)] > least


def test_a_blank_label_has_no_plate() -> None:
    page = overlay(GRAY, [thing(10, 20, 50, 60, " ")], [])
    assert rgb(TRUE) not in {color for _, color in page.getcolors(480 * 360) or []}


def test_the_image_itself_is_left_alone() -> None:
    before = GRAY.tobytes()
    overlay(GRAY, [thing(10, 20, 50, 60)], [], side=160)
    assert GRAY.tobytes() == before


def test_text_is_cut_where_it_does_not_fit() -> None:
    font = ImageFont.load_default(size=12)
    assert fit_text("cup", font, 100) == "cup"
    cut = fit_text("cup" * 50, font, 100)
    assert cut.startswith("cupcup")
    assert cut.endswith("…")
    assert font.getlength(cut) <= 100
