"""Boxes as families of models write them: written as they do, read back, damage reported."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from groundrl.boxes import Box, Frame
from groundrl.errors import UserError
from groundrl.grammar import GRAMMARS, check_frame
from groundrl.records import Grounding, Response, Segments


def cup(*corners: float, label: str = "red cup", frame: Frame = Frame.PERMILLE) -> Grounding:
    x1, y1, x2, y2 = corners
    return Grounding(label=label, box=Box(x1=x1, y1=y1, x2=x2, y2=y2, frame=frame))


# The box 250, 125, 750, 500 in thousandths of the image.
WRITTEN = {
    "box_2d": '[{"box_2d": [125, 250, 500, 750], "label": "red cup"}]',
    "qwen_vl": "<|object_ref_start|>red cup<|object_ref_end|>"
    "<|box_start|>(250,125),(750,500)<|box_end|>",
    "internvl": "<ref>red cup</ref><box>[[250, 125, 750, 500]]</box>",
    "deepseek_vl2": "<|ref|>red cup<|/ref|><|det|>[[250, 125, 749, 500]]<|/det|>",
    "glm": "red cup<|begin_of_box|>[[250,125,750,500]]<|end_of_box|>",
    "paligemma": "<loc0128><loc0256><loc0512><loc0768> red cup ;",
    "florence": "red cup<loc_250><loc_125><loc_750><loc_500>",
    # Cells: row 4 and column 8, row 15 and column 23, of 32.
    "kosmos": "<phrase>red cup</phrase><object><patch_index_0136><patch_index_0503></object>",
    "minigpt": "<p>red cup</p> {<25><12><75><50>}",
    "cogvlm": "red cup[[250,125,750,500]]",
    "brackets": "red cup[250, 125, 750, 500]",
}
"""The values are typed by hand from the descriptions of the families."""
every_form = pytest.mark.parametrize("name", WRITTEN)


def test_every_grammar_is_tested() -> None:
    assert {*WRITTEN, "obj_bbox", "inline_box", "bbox_2d"} == set(GRAMMARS)


@every_form
def test_a_box_is_written_as_the_family_does(name: str) -> None:
    grammar = GRAMMARS[name]
    reasoning = ("The ", cup(250.0, 125.0, 750.0, 500.0), " is red.")
    text = grammar.render(Response(reasoning=reasoning, answer="red"))
    assert text == f"<think>The {WRITTEN[name]} is red.</think><answer>red</answer>"
    parsed = grammar.parse(text, Frame.PERMILLE)
    assert parsed.well_formed
    (found,) = parsed.groundings
    assert found.label == "red cup"
    # Half a bin of the coarsest form of each kind; cells are 1000 / 32 wide.
    off = {"minigpt": 5.0, "kosmos": 500 / 32}.get(name, 1.0)
    assert found.box.corners == pytest.approx((250.0, 125.0, 750.0, 500.0), abs=off)


@st.composite
def segments(draw: st.DrawFn) -> Segments:
    frame = draw(st.sampled_from([Frame.PERMILLE, Frame.UNIT]))
    extent = 1.0 if frame is Frame.UNIT else 1000.0
    parts: list[str | Grounding] = []
    for _ in range(draw(st.integers(1, 4))):
        x1, x2 = sorted(draw(st.tuples(*[st.floats(0.0, extent)] * 2)))
        y1, y2 = sorted(draw(st.tuples(*[st.floats(0.0, extent)] * 2)))
        label = draw(st.text("bcdé ", min_size=1, max_size=9).filter(lambda s: s == s.strip()))
        parts += [draw(st.sampled_from(["See the ", ": ", "\nThe "]))]
        parts += [cup(x1, y1, x2, y2, label=" ".join(label.split()[:5]), frame=frame)]
    return tuple(parts)


@pytest.mark.slow
@every_form
@given(written=segments())
@settings(max_examples=60, deadline=None)
def test_what_is_rendered_reads_back(name: str, written: Segments) -> None:
    grammar = GRAMMARS[name]
    frame = next(part.box.frame for part in written if isinstance(part, Grounding))
    text = grammar.render_segments(written)
    found = grammar.find_boxes(text, frame)
    assert found.failures == found.slips == ()
    again = found.segments(text)
    assert [p if isinstance(p, str) else p.label for p in again] == [
        p if isinstance(p, str) else p.label for p in written
    ]
    # The second time nothing is rounded any more.
    assert grammar.render_segments(again) == text
    assert grammar.find_boxes(text, frame).segments(text) == again
    bin_size = {"minigpt": 10.0, "kosmos": 63.0}.get(name, 2.0) / 1000
    extent = 1.0 if frame is Frame.UNIT else 1000.0
    pairs = zip(again, written, strict=True)
    for one, other in pairs:
        if isinstance(one, Grounding) and isinstance(other, Grounding):
            assert one.box.corners == pytest.approx(other.box.corners, abs=bin_size * extent)
            for span in found.spans:
                assert grammar.find_boxes(text[span.start : span.end], frame).groundings == (
                    span.grounding,
                )


@every_form
def test_a_box_beyond_the_image_is_still_written(name: str) -> None:
    text = GRAMMARS[name].render_segments((cup(-20.0, 0.0, 1000.0, 1005.0),))
    assert len(GRAMMARS[name].find_boxes(text, Frame.PERMILLE).spans) == 1


@every_form
def test_a_box_that_is_cut_off_is_damage_at_any_place(name: str) -> None:
    box = WRITTEN[name]
    numbers = [i for i, sign in enumerate(box) if sign.isdigit()]
    # "[250" alone may be a reference.
    first = box.index(",") + 1 if name == "brackets" else numbers[1]
    for cut in range(first, numbers[-1]):
        parsed = GRAMMARS[name].parse(f"<think>x</think><answer>{box[:cut]}</answer>", Frame.UNIT)
        assert parsed.damaged, box[:cut]
        assert parsed.groundings == ()
        assert not parsed.well_formed


@every_form
def test_swapped_corners_are_damage(name: str) -> None:
    first, last = {"kosmos": ("0136", "0503"), "minigpt": ("25", "75")}.get(name, ("250", "750"))
    if name == "paligemma":
        first, last = "0256", "0768"
    if name == "deepseek_vl2":
        last = "749"
    box = WRITTEN[name].replace(first, "*").replace(last, first).replace("*", last)
    parsed = GRAMMARS[name].parse(f"<think>{box}</think><answer>a</answer>", Frame.PERMILLE)
    assert parsed.damaged == ("box with swapped corners",)
    assert parsed.groundings == ()


@pytest.mark.parametrize(
    ("name", "text", "boxes"),
    [
        ("qwen_vl", "<ref>cup</ref><box>(1,2),(3,4)</box>", [("cup", (1, 2, 3, 4))]),
        ("qwen_vl", "<|box_start|>(1, 2), (3, 4)<|box_end|>", [("", (1, 2, 3, 4))]),
        (
            "internvl",
            "<ref>cups</ref><box>[[1, 2, 3, 4],[5,6,7,8]]</box>",
            [("cups", (1, 2, 3, 4)), ("cups", (5, 6, 7, 8))],
        ),
        ("internvl", "<box>[1, 2, 3, 4]</box>", [("", (1, 2, 3, 4))]),
        ("glm", "<|begin_of_box|>[1, 2, 3, 4]<|end_of_box|>", [("", (1, 2, 3, 4))]),
        ("cogvlm", "[[1,2,3,4;5,6,7,8]]", [("", (1, 2, 3, 4)), ("", (5, 6, 7, 8))]),
        ("cogvlm", "A man in a hat [[001,002,003,004]]", [("hat", (1, 2, 3, 4))]),
        ("brackets", "[1.0, 2.5, 3.25, 4]", [("", (1, 2.5, 3.25, 4))]),
        (
            "qwen_vl",
            "<ref>cups</ref><box>(1,2),(3,4)</box><box>(5,6),(7,8)</box>",
            [("cups", (1, 2, 3, 4)), ("cups", (5, 6, 7, 8))],
        ),
        ("florence", "cup<loc_1><loc_2><loc_3><loc_4>lamp<loc_5><loc_6><loc_7><loc_8>",
         [("cup", (1.5, 2.5, 3.5, 4.5)), ("lamp", (5.5, 6.5, 7.5, 8.5))]),
        # 32 is row 1, column 0; 35 lies in the same row.
        ("kosmos", "<object><patch_index_0032><patch_index_0035></object>",
         [("", (0, 31.25, 125, 62.5))]),
        # 44 is row 1, column 12; 863 is row 26, column 31.
        ("kosmos", "<object><patch_index_0044><patch_index_0863></object>",
         [("", (12.5 / 0.032, 1.5 / 0.032, 31.5 / 0.032, 26.5 / 0.032))]),
        ("box_2d", '```json\n[{"box_2d": [2, 1, 4, 3], "label": "cup"}]\n```',
         [("cup", (1, 2, 3, 4))]),
        ("box_2d", "[2, 1, 4, 3]", [("", (1, 2, 3, 4))]),
    ],
)  # fmt: skip
def test_other_ways_of_a_family_are_read(
    name: str, text: str, boxes: list[tuple[str, tuple[float, ...]]]
) -> None:
    parsed = GRAMMARS[name].parse(text, Frame.PERMILLE)
    assert [(one.label, one.box.corners) for one in parsed.groundings] == boxes
    assert parsed.damaged == ()


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("glm", "<|begin_of_box|>B<|end_of_box|>"),
        ("brackets", "See [1] and [a, b, c, d]."),
        ("cogvlm", "See [[page]] and [1, 2]."),
    ],
)
def test_signs_that_other_text_has_too_are_no_boxes(name: str, text: str) -> None:
    parsed = GRAMMARS[name].parse(f"<think>{text}</think><answer>a</answer>", Frame.PERMILLE)
    assert parsed.well_formed
    assert parsed.groundings == ()


@pytest.mark.parametrize("written", sorted(GRAMMARS))
@pytest.mark.parametrize("read", sorted(GRAMMARS))
def test_a_box_of_another_grammar_is_read_or_is_damage(written: str, read: str) -> None:
    text = GRAMMARS[written].render(
        Response(reasoning=("The ", cup(250.0, 125.0, 750.0, 500.0), " is red."), answer="red")
    )
    parsed = GRAMMARS[read].parse(text, Frame.PERMILLE)
    assert parsed.groundings or parsed.damaged


@pytest.mark.parametrize("name", ["paligemma", "florence", "kosmos", "minigpt", "deepseek_vl2"])
def test_bins_are_shares_of_the_image_and_no_pixels(name: str) -> None:
    check_frame(GRAMMARS[name], Frame.UNIT)
    with pytest.raises(UserError, match="type the frame permille or unit"):
        check_frame(GRAMMARS[name], Frame.PIXEL)


@pytest.mark.slow
@every_form
@pytest.mark.parametrize(
    "unit",
    ["<ref>", "<box>[", "<|box_start|>(1,", "[[", "[[1,2,3,4],", "<loc0001>", "<loc_1>", "{<1>",
     "<p>", "<phrase>", "<object><patch_index_0001>", "the ", "a[1,2,3,4]", '"', "'", "\\'"],
)  # fmt: skip
def test_hostile_text_is_read_in_linear_time(name: str, unit: str) -> None:
    start = time.process_time()
    GRAMMARS[name].parse(unit * (100_000 // len(unit)), Frame.UNIT)
    assert time.process_time() - start < 2
