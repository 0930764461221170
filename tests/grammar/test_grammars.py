import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from groundrl.boxes import Box, Frame
from groundrl.errors import UserError
from groundrl.grammar import GRAMMARS, Grammar, get_grammar, round_segments
from groundrl.records import Grounding, Response, Segments

WITH_LABELS = ("obj_bbox", "inline_box", "bbox_2d")
"""The others are in test_native_forms.py."""
every_grammar = pytest.mark.parametrize(
    "grammar", [GRAMMARS[name] for name in WITH_LABELS], ids=WITH_LABELS
)
any_grammar = pytest.mark.parametrize("grammar", GRAMMARS.values(), ids=GRAMMARS.keys())


def cup(*corners: float | int, label: str = "red cup", frame: Frame = Frame.PIXEL) -> Grounding:
    x1, y1, x2, y2 = map(float, corners)
    return Grounding(label=label, box=Box(x1=x1, y1=y1, x2=x2, y2=y2, frame=frame))


SHORT = Response(reasoning=("The ", cup(12, 40, 80, 131), " is red."), answer="red")
WRITTEN = {
    "obj_bbox": "<think>The <obj>red cup</obj><bbox>[12, 40, 80, 131]</bbox> is red.</think>"
    "<answer>red</answer>",
    "inline_box": "<think>The [12,40,80,131 red cup] is red.</think><answer>red</answer>",
    "bbox_2d": '<think>The [{"bbox_2d": [12, 40, 80, 131], "label": "red cup"}] is red.</think>'
    "<answer>red</answer>",
}


@st.composite
def responses(draw: st.DrawFn) -> Response:
    frame = draw(st.sampled_from(Frame))
    extent = 1.0 if frame is Frame.UNIT else 1000.0
    coordinate = st.floats(-extent / 10, extent)
    words = st.text(st.characters(codec="utf-8", exclude_characters='<>[]{}"\\'), min_size=1)
    labels = words.filter(lambda text: text.strip() == text)

    def grounding() -> Grounding:
        x1, x2 = sorted([draw(coordinate), draw(coordinate)])
        y1, y2 = sorted([draw(coordinate), draw(coordinate)])
        return cup(x1, y1, x2, y2, label=draw(labels), frame=frame)

    parts: list[str | Grounding] = []
    for _ in range(draw(st.integers(0, 4))):
        if draw(st.booleans()) and not (parts and isinstance(parts[-1], str)):
            parts.append(draw(words))
        parts.append(grounding())
    return Response(reasoning=tuple(parts), answer=draw(labels))


@every_grammar
def test_a_response_is_written_as_documented(grammar: Grammar) -> None:
    assert grammar.render(SHORT) == WRITTEN[grammar.name]


@pytest.mark.slow
@every_grammar
@given(response=responses())
@settings(max_examples=80, deadline=None)
def test_what_is_rendered_reads_back(grammar: Grammar, response: Response) -> None:
    boxes = [part.box.frame for part in response.reasoning if isinstance(part, Grounding)]
    frame = boxes[0] if boxes else Frame.UNIT
    text = grammar.render(response)
    parsed = grammar.parse(text, frame)
    rounded = round_segments(response.reasoning)
    assert parsed.well_formed, parsed.failures
    assert parsed.reasoning == rounded
    assert parsed.answer == response.answer
    assert parsed.groundings == tuple(part for part in rounded if isinstance(part, Grounding))
    for (start, end), grounding in zip(parsed.spans, parsed.groundings, strict=True):
        assert grammar.parse(text[start:end], frame).groundings == (grounding,)


@any_grammar
@given(text=st.text(st.sampled_from('<>/[]{}",:. \\1e9abobjx') | st.characters(), max_size=300))
@settings(max_examples=150, deadline=None)
def test_no_text_makes_parse_raise(grammar: Grammar, text: str) -> None:
    parsed = grammar.parse(text, Frame.PIXEL)
    assert parsed.well_formed is (parsed.failures == ())
    assert parsed.answer is None or parsed.answer == parsed.answer.strip()


@any_grammar
@given(text=st.lists(st.sampled_from(
    ["<think>", "</think>", "<answer>", "</answer>", "<obj>", "</obj>", "<bbox>", "</bbox>", "[",
     "]", "[1, 2, 3, 4]", "[1,2,3,4 cat]", '{"bbox_2d": [1, 2, 3, 4], "label": "cat"}', '"bbox_2d"',
     "{", "}", ",", " ", "cat", "NaN", "1e400", '"label": "\\x"']
), max_size=30).map("".join))  # fmt: skip
@settings(max_examples=150, deadline=None)
def test_no_soup_of_tags_makes_parse_raise(grammar: Grammar, text: str) -> None:
    parsed = grammar.parse(text, Frame.PIXEL)
    for grounding in parsed.groundings:
        assert grounding.box.frame is Frame.PIXEL
        assert grounding.label == grounding.label.strip()


@pytest.mark.slow
@any_grammar
@pytest.mark.parametrize(
    "unit",
    ["<obj>", "[", "{", "{ ", '{"bbox_2d": [', '{\\"', '{"label":"\\', "<bbox>[", "<think>", "1",
     " "],
)  # fmt: skip
def test_a_megabyte_of_nonsense_is_read_in_linear_time(grammar: Grammar, unit: str) -> None:
    start = time.process_time()
    grammar.parse(unit * (1_000_000 // len(unit)), Frame.PIXEL)
    # Quadratic searches need minutes here; the bound leaves room for a busy machine.
    assert time.process_time() - start < 5


@every_grammar
@pytest.mark.parametrize(
    ("corners", "reason"),
    [
        ("80, 40, 12, 131", "swapped corners"),
        ("nan, 40, 80, 131", "non-finite"),
        ("12, 40, -Infinity, 131", "non-finite"),
        ("12, 40, 1e400, 131", "non-finite"),
        ("12, 40, 1e300, 131", "beyond"),
        ("12, 40, ٣, 131", "not a number"),
        ("12, 40, 1_000, 131", "not a number"),
    ],
)
def test_a_damaged_box_is_a_reason_and_no_grounding(
    grammar: Grammar, corners: str, reason: str
) -> None:
    separator = "," if grammar.name == "inline_box" else ", "
    text = grammar.render(SHORT).replace(
        separator.join(["12", "40", "80", "131"]), corners.replace(", ", separator)
    )
    parsed = grammar.parse(text, Frame.PIXEL)
    assert parsed.groundings == ()
    assert len(parsed.failures) == 1
    assert reason in parsed.failures[0]
    assert parsed.answer == "red"


@every_grammar
def test_a_box_with_three_numbers_is_a_reason(grammar: Grammar) -> None:
    text = re.sub("12, ?", "", grammar.render(SHORT))
    parsed = grammar.parse(text, Frame.PIXEL)
    assert parsed.groundings == ()
    assert parsed.failures


@every_grammar
@pytest.mark.parametrize("segments", [("a", "b"), ("",), ("<think>", cup(1, 2, 3, 4))])
def test_what_would_not_read_back_is_not_rendered(grammar: Grammar, segments: Segments) -> None:
    with pytest.raises(ValueError, match=r"string|cannot express"):
        grammar.render(Response(reasoning=segments, answer="red"))


@every_grammar
@pytest.mark.parametrize("answer", ["", " red", "</answer>", "red</think>"])
def test_an_answer_that_would_not_read_back_is_not_rendered(grammar: Grammar, answer: str) -> None:
    with pytest.raises(ValueError, match="cannot express"):
        grammar.render(Response(reasoning=SHORT.reasoning, answer=answer))


@every_grammar
def test_boxes_of_two_frames_are_not_rendered(grammar: Grammar) -> None:
    mixed = (cup(1, 2, 3, 4), cup(0.1, 0.2, 0.3, 0.4, frame=Frame.UNIT))
    with pytest.raises(ValueError, match="several frames"):
        grammar.render_segments(mixed)


@every_grammar
def test_a_coordinate_beyond_every_image_is_not_rendered(grammar: Grammar) -> None:
    with pytest.raises(ValueError, match="beyond"):
        grammar.render_segments((cup(0, 0, 1e7, 1),))


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("obj_bbox", "a</obj>"),
        ("obj_bbox", "<bbox>"),
        ("inline_box", "cup [red]"),
        ("bbox_2d", "\ud800"),
        ("obj_bbox", " cup"),
        ("inline_box", ""),
        ("bbox_2d", "</think>"),
    ],
)
def test_a_label_with_delimiters_is_not_rendered(name: str, label: str) -> None:
    with pytest.raises(ValueError, match="cannot express"):
        GRAMMARS[name].render(Response(reasoning=(cup(1, 2, 3, 4, label=label),), answer="red"))


def test_bbox_2d_escapes_quotes_and_backslashes() -> None:
    segments = (cup(1, 2, 3, 4, label='the "big\\small" {cup}'),)
    text = GRAMMARS["bbox_2d"].render_segments(segments)
    assert GRAMMARS["bbox_2d"].parse(text, Frame.PIXEL).groundings == segments


def test_bbox_2d_reads_a_lone_object_and_a_fenced_list_with_its_keys_the_other_way_round() -> None:
    item = '{"label": "cup", "bbox_2d": [1, 2, 3, 4]}'
    for text in (item, f"```json\n[\n\t{item},\n\t{item}\n]\n```"):
        parsed = GRAMMARS["bbox_2d"].parse(text, Frame.MODEL)
        assert {grounding.label for grounding in parsed.groundings} == {"cup"}
        assert len(parsed.groundings) == text.count("bbox_2d")


def test_brackets_around_other_things_are_text_to_inline_box() -> None:
    text = "<think>See [1] and [www.example.org].</think><answer>red</answer>"
    parsed = GRAMMARS["inline_box"].parse(text, Frame.PIXEL)
    assert parsed.well_formed
    assert parsed.reasoning == ("See [1] and [www.example.org].",)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("obj_bbox", "<obj>cup</obj><bbox>[1, 2, 3"),
        ("inline_box", "[1,2,3"),
        ("bbox_2d", '[{"bbox_2d": [1, 2'),
    ],
)
def test_a_cut_off_box_is_a_reason(name: str, text: str) -> None:
    parsed = GRAMMARS[name].parse(f"<think>{text}</think><answer>red</answer>", Frame.PIXEL)
    assert parsed.groundings == ()
    assert len(parsed.failures) == 1


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("<obj>cup <obj>cup</obj><bbox>[1, 2, 3, 4]</bbox>", "unclosed <obj>"),
        ("<obj>cup</obj> here <bbox>[1, 2, 3, 4]</bbox>", "<obj> without <bbox>"),
        ("<obj> </obj><bbox>[1, 2, 3, 4]</bbox>", "empty label"),
        ("<bbox>[1, 2, 3, 4]</bbox>", "<bbox> without <obj>"),
        ("<obj>cup</obj><bbox>1, 2, 3, 4</bbox>", "<bbox> without square brackets"),
        ("<obj>cup</obj><bbox>[1, 2, 3, 4, 5]</bbox>", "a box has 4 numbers, not 5"),
    ],
)
def test_the_error_of_obj_bbox_names_what_is_wrong(text: str, reason: str) -> None:
    assert reason in GRAMMARS["obj_bbox"].parse(text, Frame.PIXEL).failures


def test_a_broken_pair_does_not_hide_the_next_one() -> None:
    text = "<obj>a <obj>cup</obj><bbox>[1, 2, 3, 4]</bbox>"
    parsed = GRAMMARS["obj_bbox"].parse(text, Frame.PIXEL)
    assert parsed.groundings == (cup(1, 2, 3, 4, label="cup"),)


@pytest.mark.parametrize(
    ("text", "reason", "tagged", "answer"),
    [
        ("", "missing <think>", None, None),
        ("<think></think>", "missing <answer>", None, None),
        ("<think>a<answer>red</answer>", "missing </think>", "red", "red"),
        ("<think></think><answer>red", "missing </answer>", None, "red"),
        ("<think></think><answer> \n</answer>", "empty <answer>", "", ""),
        ("<think></think><answer>a</answer><answer>b</answer>", "more than one", "a", None),
        ("<answer>red</answer><think></think>", "tags in the wrong order", "red", None),
        ("Well, <think></think><answer>a</answer>", "text before <think>", "a", "a"),
        ("<think></think> so <answer>a</answer>", "text between </think> and <answer>", "a", "a"),
        ("<think></think><answer>a</answer>!", "text after </answer>", "a", "a"),
    ],
)
def test_broken_tags_are_named_and_both_readings_of_the_answer_are_kept(
    text: str, reason: str, tagged: str | None, answer: str | None
) -> None:
    parsed = GRAMMARS["obj_bbox"].parse(text, Frame.PIXEL)
    assert reason in "; ".join(parsed.failures)
    assert (parsed.tagged_answer, parsed.answer) == (tagged, answer)


def test_boxes_outside_thinking_count_as_groundings_but_not_as_reasoning() -> None:
    text = "[9,9,9,9 x]<think>[1,2,3,4 a]</think><answer>[5,6,7,8 b]</answer>"
    parsed = GRAMMARS["inline_box"].parse(text, Frame.PIXEL)
    assert [grounding.label for grounding in parsed.groundings] == ["x", "a", "b"]
    assert parsed.reasoning == (cup(1, 2, 3, 4, label="a"),)


def test_unit_boxes_have_three_decimals() -> None:
    box = cup(-0.0001, 0.25, 0.5, 0.98765, frame=Frame.UNIT)
    assert GRAMMARS["inline_box"].render_segments((box,)) == "[0.000,0.250,0.500,0.988 red cup]"


def test_an_unknown_grammar_is_answered_with_the_choices() -> None:
    assert get_grammar("inline_box").name == "inline_box"
    with pytest.raises(UserError, match="obj_bbox, inline_box, bbox_2d, box_2d, qwen_vl"):
        get_grammar("boxes")


@pytest.mark.parametrize("name", WITH_LABELS)
def test_the_syntax_that_instructions_show_reads_as_a_box(name: str) -> None:
    shown = GRAMMARS[name].syntax
    for number, corner in enumerate(("x1", "y1", "x2", "y2"), start=1):
        shown = shown.replace(corner, str(number))
    (grounding,) = GRAMMARS[name].parse(shown, Frame.PIXEL).groundings
    assert grounding == cup(1, 2, 3, 4, label="label")
