"""Boxes in the text of training files are read in the frame that their form, or the user, says."""

import time
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundrl.boxes import Frame
from groundrl.data.formats.base import UNNAMED, UndeclaredFrameError
from groundrl.data.formats.written_boxes import groundings_in, read_segments, words_in

FORMS = {
    "<|object_ref_start|>cat<|object_ref_end|><|box_start|>(12,34),(567,890)<|box_end|>": (
        "cat",
        Frame.PERMILLE,
    ),
    "<ref>cat</ref><box>(12,34),(567,890)</box>": ("cat", Frame.PERMILLE),
    "<ref>cat</ref><box>[[12, 34, 567, 890]]</box>": ("cat", Frame.PERMILLE),
    '[{"bbox_2d": [12, 34, 567, 890], "label": "cat"}]': ("cat", Frame.MODEL),
    '```json\n[\n\t{"label": "cat", "bbox_2d": [12, 34, 567, 890]}\n]\n```': ("cat", Frame.MODEL),
    '{"bbox_2d": [12, 34, 567, 890]}': (UNNAMED, Frame.MODEL),
    '```json\n{"bbox_2d": [12, 34, 567, 890], "label": "caf\\u00e9", "id": 3}\n```': (
        "café",
        Frame.MODEL,
    ),
    "<obj>cat</obj><bbox>[12, 34, 567, 890]</bbox>": ("cat", Frame.MODEL),
    "cat<|begin_of_box|>[[12,34,567,890]]<|end_of_box|>": ("cat", Frame.PERMILLE),
    '[{"box_2d": [34, 12, 890, 567], "label": "cat"}]': ("cat", Frame.PERMILLE),
    "[12,34,567,890]": (UNNAMED, Frame.MODEL),
    "[[12, 34, 567, 890]]": (UNNAMED, Frame.MODEL),
}
"""Text -> label and frame of its only box, where MODEL is what the user declares."""


@pytest.mark.parametrize("text", FORMS)
def test_a_form_is_read_in_its_own_frame_or_in_the_declared_one(text: str) -> None:
    (found,) = read_segments(text, Frame.MODEL)
    assert not isinstance(found, str)
    assert (found.label, found.box.frame) == FORMS[text]
    assert found.box.corners == (12, 34, 567, 890)


@pytest.mark.parametrize(("text", "expected"), FORMS.items())
def test_a_form_without_a_frame_is_refused_until_one_is_declared(
    text: str, expected: tuple[str, Frame]
) -> None:
    if expected[1] is Frame.MODEL:
        with pytest.raises(UndeclaredFrameError, match="has no frame"):
            read_segments(text, None)
    else:
        assert groundings_in(read_segments(text, None))


@pytest.mark.parametrize(
    ("text", "corners"),
    [
        ("<p>cat</p> {<12><34><56><90>}", (120, 340, 560, 900)),
        ("<|ref|>cat<|/ref|><|det|>[[0, 333, 666, 999]]<|/det|>", (0, 1000 / 3, 2000 / 3, 1000)),
        ("<loc0256><loc0128><loc0768><loc0512> cat", (125, 250, 500, 750)),
    ],
)
def test_bins_of_other_families_are_thousandths(text: str, corners: tuple[float, ...]) -> None:
    (found,) = groundings_in(read_segments(text, None))
    assert (found.label, found.box.frame) == ("cat", Frame.PERMILLE)
    assert found.box.corners == pytest.approx(corners)


def test_boxes_of_one_name_share_it() -> None:
    text = "<ref>cats</ref><box>(1,2),(3,4)</box><box>(5,6),(7,8)</box>"
    assert [one.label for one in groundings_in(read_segments(text, None))] == ["cats", "cats"]


def test_a_list_of_lists_holds_boxes_only() -> None:
    found = read_segments("[[1, 2, 3, 4], [5, 6, 7, 8]]", Frame.PIXEL)
    assert [part.box.corners for part in groundings_in(found)] == [(1, 2, 3, 4), (5, 6, 7, 8)]
    assert len(found) == 2


def test_cells_of_a_grid_are_joined_by_their_centres() -> None:
    text = "<phrase>a cat</phrase><object><patch_index_0044><patch_index_0863></object>"
    (found,) = groundings_in(read_segments(text, None))
    # 44 is row 1, column 12; 863 is row 26, column 31.
    assert (found.label, found.box.frame) == ("a cat", Frame.UNIT)
    assert found.box.corners == (12.5 / 32, 1.5 / 32, 31.5 / 32, 26.5 / 32)


def test_cells_of_one_row_are_joined_by_their_edges() -> None:
    text = "<object><patch_index_0032><patch_index_0035></object>"
    (found,) = groundings_in(read_segments(text, None))
    assert found.box.corners == (0, 1 / 32, 4 / 32, 2 / 32)


def test_bins_stand_for_their_centres() -> None:
    cat, dog = groundings_in(
        read_segments("cat<loc_12><loc_34><loc_567><loc_890>dog<loc_0><loc_0><loc_9><loc_9>", None)
    )
    assert cat.box.corners == (12.5, 34.5, 567.5, 890.5)
    assert (dog.label, dog.box.frame) == ("dog", Frame.PERMILLE)


def test_a_list_may_hold_several_boxes_and_text_stands_around_it() -> None:
    text = "The cats [1,2,3,4;5,6,7,8] sleep."
    before, first, second, after = read_segments(text, Frame.PIXEL)
    assert (before, after) == ("The cats ", " sleep.")
    assert [g.box.corners for g in groundings_in((first, second))] == [(1, 2, 3, 4), (5, 6, 7, 8)]


@pytest.mark.parametrize(
    "text",
    [
        *("", "plain", "[1, 2]", "see [1]", "a < b > c", "[a, b, c, d]", "[1, b, 3, d]"),
        *("<p>text</p>", "render({<div>x</div>})", "<|begin_of_box|>B<|end_of_box|>"),
    ],
)
def test_text_without_boxes_stays_as_it_is(text: str) -> None:
    assert "".join(map(str, read_segments(text, None))) == text


@pytest.mark.parametrize(
    "text",
    [
        "<box>nonsense</box>",
        "<box>(1,2)",
        '[{"bbox_2d": [1, 2], "label": "a"}]',
        '{"bbox_2d": [1, 2, 3',
        '{"bbox_2d": [1, 2, 3, true]}',
        '{"bbox_2d": [NaN, 2, 3, 4]}',
        "<loc_1><loc_2><loc_3>",
        "<p>cat</p> {<1><2><3>",
        "<bbox>[1, 2, 3, 4]</bbox>",
        "<object><patch_index_0001></object>",
        "[5,2,3,4]",
    ],
)
def test_a_box_that_cannot_be_read_is_told(text: str) -> None:
    with pytest.raises(ValueError, match=r"box|bbox_2d"):
        read_segments(text, Frame.PIXEL)


def test_words_are_what_stands_beside_boxes() -> None:
    only = read_segments("<ref>cat</ref><box>(1,2),(3,4)</box>.", None)
    beside = read_segments("A <ref>cat</ref><box>(1,2),(3,4)</box> sleeps", None)
    assert words_in(only) == ""
    assert words_in(beside) == "A cat sleeps"
    assert words_in(read_segments("yes [1,2,3,4]", Frame.PIXEL)) == "yes"


@given(
    text=st.text(alphabet='[]{}()<>",;.: 0123456789aé\n', max_size=60),
    ending=st.sampled_from(
        ["", "<box>(1,2),(3,4)</box>", '{"bbox_2d": [1,2,3,4]}', "<loc_", "{<1><2><3><4>}"]
    ),
)
def test_any_text_is_read_or_refused(text: str, ending: str) -> None:
    try:
        segments = read_segments(text + ending, Frame.PIXEL)
    except ValueError:
        return
    assert all(segments)


@pytest.mark.parametrize(
    "text",
    [
        "a " * 100_000 + "<loc_",
        "[{" * 50_000 + '"bbox_2d"',
        "[[1,2,3,4]," * 20_000,
        "<ref>" * 50_000 + "<box>",
        "[1,2,3,4;" * 20_000,
        "<p>{<1>" * 20_000,
        '[{"bbox_2d": [1,2,3,4]},' * 10_000,
        "[ " * 100_000,
    ],
)
@pytest.mark.slow
def test_long_text_takes_linear_time(text: str) -> None:
    start = time.process_time()
    with suppress(ValueError):
        read_segments(text, Frame.PIXEL)
    assert time.process_time() - start < 5
