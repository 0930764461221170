"""Crops contain their region, lie in the image, and have no duplicates."""

from random import Random

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from synthesis_views import box, region, scene_image

from groundrl.boxes import iou
from groundrl.detectors.records import Region
from groundrl.errors import UserError
from groundrl.synthesis.crops import Cropping, drop_duplicates, expand_box, make_crops, split_doubts

IMAGE = scene_image(0).source
SIDE = float(IMAGE.width)


@st.composite
def regions(draw: st.DrawFn) -> Region:
    x, y = draw(st.floats(0, SIDE - 2)), draw(st.floats(0, SIDE - 2))
    width, height = draw(st.floats(1, SIDE - x)), draw(st.floats(1, SIDE - y))
    corners = (x, y, min(x + width, SIDE), min(y + height, SIDE))
    label = draw(st.sampled_from(["cup", "box"]))
    return region(label, *corners, score=draw(st.integers(1, 4)) / 4)


options = st.builds(Cropping, margin=st.floats(0, 2), min_side=st.integers(1, 200))


@given(one=regions(), options=options)
def test_a_crop_lies_in_the_image_and_holds_its_region(one: Region, options: Cropping) -> None:
    crop, inner = expand_box(one.box, IMAGE, options), one.box
    assert 0 <= crop.x1 <= inner.x1
    assert inner.x2 <= crop.x2 <= SIDE
    assert 0 <= crop.y1 <= inner.y1
    assert inner.y2 <= crop.y2 <= SIDE
    assert all(value == int(value) for value in crop.corners)
    least = min(float(options.min_side), SIDE)
    assert min(crop.x2 - crop.x1, crop.y2 - crop.y1) >= least


def test_a_crop_has_its_margin_and_is_moved_back_from_the_edge() -> None:
    options = Cropping(margin=0.25, min_side=10)
    assert expand_box(box(40, 40, 80, 60), IMAGE, options).corners == (30, 35, 90, 65)
    assert expand_box(box(0, 100, 40, 160), IMAGE, options).corners == (0, 70, 60, 160)


@pytest.mark.slow
@given(found=st.lists(regions(), max_size=12), limit=st.floats(0.1, 1))
def test_of_duplicates_the_one_with_the_highest_score_is_kept(
    found: list[Region], limit: float
) -> None:
    kept = drop_duplicates(found, limit)
    for i, one in enumerate(kept):
        for other in kept[i + 1 :]:
            assert one.label != other.label or iou(one.box, other.box) < limit
    for one in found:
        twins = [k for k in kept if k.label == one.label and iou(k.box, one.box) >= limit]
        assert one in kept or max(twin.score for twin in twins) >= one.score
    assert drop_duplicates(kept, limit) == kept


@pytest.mark.slow
@given(found=st.lists(regions(), max_size=8), order=st.randoms(use_true_random=False))
def test_duplicates_do_not_depend_on_the_order(found: list[Region], order: Random) -> None:
    assume(len({one.score for one in found}) == len(found))
    shuffled = list(found)
    order.shuffle(shuffled)
    assert set(drop_duplicates(shuffled, 0.5)) == set(drop_duplicates(found, 0.5))


@pytest.mark.slow
@given(found=st.lists(regions(), max_size=12), most=st.integers(1, 5))
def test_the_regions_with_the_highest_scores_get_crops(found: list[Region], most: int) -> None:
    options = Cropping(max_crops=most, min_area=0.0)
    crops = make_crops(found, IMAGE, options)
    assert len(crops) == min(most, sum(one.box.area >= 1 for one in found))
    left = [r for r in found if r.box.area >= 1 and all(r is not crop.region for crop in crops)]
    assert all(r.score <= min(crop.region.score for crop in crops) for r in left)


def test_impossible_options_for_crops_are_an_error() -> None:
    with pytest.raises(UserError, match="margin=-1"):
        Cropping(margin=-1.0)
    with pytest.raises(UserError, match="duplicate_iou=0"):
        Cropping(duplicate_iou=0.0)


def test_a_doubt_that_overlaps_a_sure_region_is_dropped() -> None:
    sure = region("cup", 10, 10, 50, 50)
    again, beside, other = (
        region(label, *corners, score=0.2, sure=False)
        for label, *corners in (
            ("cup", 12, 10, 50, 50),
            ("cup", 60, 10, 90, 50),
            ("box", 10, 10, 50, 50),
        )
    )
    assert split_doubts([beside, again, sure, other], 0.6) == ((sure,), (beside, other))
