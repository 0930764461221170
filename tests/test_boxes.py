"""Laws of boxes, and parity with torchvision."""

import math
from itertools import permutations

import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from torchvision.ops import box_iou, generalized_box_iou

from groundrl.boxes import (
    Box,
    Frame,
    FrameMismatchError,
    ImageSizes,
    convert,
    giou,
    intersection,
    iou,
    is_inside,
    match,
    matched_iou,
)

numbers = st.floats(0, 500, allow_nan=False)
frames = st.sampled_from(Frame)


def pixel(x1: float, y1: float, x2: float, y2: float) -> Box:
    return Box(x1=float(x1), y1=float(y1), x2=float(x2), y2=float(y2), frame=Frame.PIXEL)


@st.composite
def boxes(draw: st.DrawFn, frame: Frame = Frame.PIXEL) -> Box:
    xs = sorted((draw(numbers), draw(numbers)))
    ys = sorted((draw(numbers), draw(numbers)))
    return Box(x1=xs[0], y1=ys[0], x2=xs[1], y2=ys[1], frame=frame)


@st.composite
def views(draw: st.DrawFn) -> ImageSizes:
    sizes = [draw(st.integers(1, 4000)) for _ in range(4)]
    return ImageSizes(width=sizes[0], height=sizes[1], model_width=sizes[2], model_height=sizes[3])


@given(boxes(), frames, frames, views())
def test_converting_there_and_back_changes_nothing(
    box: Box, first: Frame, second: Frame, sizes: ImageSizes
) -> None:
    box = Box(x1=box.x1, y1=box.y1, x2=box.x2, y2=box.y2, frame=first)
    back = convert(convert(box, second, sizes), first, sizes)
    assert back.frame is first
    assert back.corners == pytest.approx(box.corners)


@given(boxes(), boxes(), frames, views())
def test_iou_is_the_same_in_every_frame(a: Box, b: Box, frame: Frame, sizes: ImageSizes) -> None:
    assume(a.area > 1 and b.area > 1)
    assert iou(convert(a, frame, sizes), convert(b, frame, sizes)) == pytest.approx(iou(a, b))


def test_a_box_is_converted_to_thousandths_of_its_own_image() -> None:
    sizes = ImageSizes(width=200, height=400, model_width=28, model_height=56)
    for box, frame, expected in (
        (pixel(20, 40, 100, 400), Frame.PERMILLE, (100, 100, 500, 1000)),
        (pixel(100, 200, 200, 400), Frame.MODEL, (14, 28, 28, 56)),
        (pixel(100, 200, 200, 400), Frame.UNIT, (0.5, 0.5, 1, 1)),
    ):
        assert convert(box, frame, sizes).corners == pytest.approx(expected)


@given(boxes(), boxes())
def test_iou_is_symmetric_and_between_zero_and_one(a: Box, b: Box) -> None:
    assert iou(a, b) == iou(b, a)
    assert 0 <= iou(a, b) <= 1
    assert -1 - 1e-9 <= giou(a, b) <= iou(a, b) + 1e-9


@given(boxes())
def test_a_box_overlaps_itself_wholly(box: Box) -> None:
    assume(box.area > 0)
    assert iou(box, box) == 1
    assert giou(box, box) == pytest.approx(1)


def test_unit_boxes_side_by_side_do_not_overlap() -> None:
    assert iou(pixel(0, 0, 1, 1), pixel(1, 0, 2, 1)) == 0
    assert iou(pixel(0, 0, 1, 1), pixel(0, 0, 1, 1)) == 1
    assert iou(pixel(0, 0, 2, 2), pixel(1, 0, 3, 2)) == pytest.approx(1 / 3)


@given(st.lists(boxes(), min_size=1, max_size=4), st.lists(boxes(), min_size=1, max_size=4))
def test_iou_and_giou_agree_with_torchvision(a: list[Box], b: list[Box]) -> None:
    assume(all(box.area > 1e-3 for box in a + b))
    left = torch.tensor([box.corners for box in a], dtype=torch.float64)
    right = torch.tensor([box.corners for box in b], dtype=torch.float64)
    ours = torch.tensor([[iou(x, y) for y in b] for x in a], dtype=torch.float64)
    generalized = torch.tensor([[giou(x, y) for y in b] for x in a], dtype=torch.float64)
    torch.testing.assert_close(ours, box_iou(left, right))
    torch.testing.assert_close(generalized, generalized_box_iou(left, right))


def test_boxes_of_different_frames_do_not_meet() -> None:
    unit = Box(x1=0.0, y1=0.0, x2=1.0, y2=1.0, frame=Frame.UNIT)
    for compare in (iou, giou, intersection):
        with pytest.raises(FrameMismatchError, match="unit"):
            compare(pixel(0, 0, 1, 1), unit)


@pytest.mark.parametrize(
    "corners", [(2, 0, 1, 1), (0, 2, 1, 1), (math.nan, 0, 1, 1), (0, 0, math.inf, 1)]
)
def test_impossible_corners_are_refused(corners: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="box"):
        pixel(*map(float, corners))


def test_a_box_beyond_the_edge_is_not_inside() -> None:
    sizes = ImageSizes(width=100, height=50, model_width=28, model_height=28)
    assert is_inside(pixel(0, 0, 100, 50), sizes)
    assert not is_inside(pixel(0, 0, 101, 50), sizes)
    assert not is_inside(pixel(-1, 0, 10, 10), sizes)


@given(st.lists(boxes(), max_size=4), st.lists(boxes(), max_size=4))
def test_matching_finds_the_best_one_to_one_pairing(a: list[Box], b: list[Box]) -> None:
    pairs = match(a, b)
    assert len({p.predicted for p in pairs}) == len(pairs) == len({p.true for p in pairs})
    short, long = sorted((a, b), key=len)
    best = max(
        (
            sum(iou(x, y) for x, y in zip(short, order, strict=True))
            for order in permutations(long, len(short))
        ),
        default=0.0,
    )
    assert sum(p.iou for p in pairs) == pytest.approx(best)


TRUE = [pixel(0, 0, 10, 10), pixel(20, 20, 30, 30)]


def test_all_true_boxes_score_one_and_none_of_them_zero() -> None:
    assert matched_iou(TRUE, TRUE) == 1
    assert matched_iou([], TRUE) == 0
    assert matched_iou(TRUE, []) == 0
    assert matched_iou([], []) == 1


def test_extra_missing_and_repeated_boxes_lower_the_score() -> None:
    assert matched_iou([*TRUE, pixel(40, 40, 50, 50)], TRUE) == pytest.approx(2 / 3)
    assert matched_iou(TRUE[:1], TRUE) == pytest.approx(1 / 2)
    assert matched_iou([TRUE[0], TRUE[0]], TRUE[:1]) == pytest.approx(1 / 2)
