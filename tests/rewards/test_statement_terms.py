"""Terms that hold the words of the reasoning against pixels, boxes and the answer."""

from dataclasses import replace
from pathlib import Path

import pytest
from attempts import attempt, box, completion, sample
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from groundrl.answers.attempt import Attempt, read_attempt
from groundrl.boxes import Frame, ImageSizes
from groundrl.errors import UserError
from groundrl.evaluation.benchmarks.world import WorldVQA
from groundrl.grammar import GRAMMARS
from groundrl.records import ImageFile, NamedImage, Response, RolloutGroup, Sample
from groundrl.rewards.terms.attribute import MOST_CLAIMS, Attribute
from groundrl.rewards.terms.consistency import Consistency
from groundrl.rewards.terms.relation import MOST_STATED, SpatialRelation

CUP, VASE = box(0, 0, 40, 40), box(100, 0, 140, 40)
"""Red and blue, on white, in an image of 200 x 100."""
RED, BLUE = "[0,0,40,40 red cup]", "[100,0,140,40 blue vase]"


@pytest.fixture
def painted(tmp_path: Path) -> Sample:
    image = Image.new("RGB", (200, 100), "white")
    image.paste("red", (0, 0, 40, 40))
    image.paste("blue", (100, 0, 140, 40))
    image.save(tmp_path / "a.png")
    file = ImageFile(path=tmp_path / "a.png", width=200, height=100)
    return replace(sample(CUP, VASE), image=file)


def think(of: Sample, text: str) -> Attempt:
    return attempt(of, f"<think>{text}</think><answer>red</answer>")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (f"The {RED} and the {BLUE}.", 1.0),
        (RED, 1.0),
        (RED * 3 + BLUE, 1.0),
        (f"{RED} [100,0,140,40 green vase]", 0.5),
        (f"{RED} {RED} [100,0,140,40 green vase]", 0.5),
        ("[0,0,40,40 large Red cup]", 1.0),
        ("[0,0,40,40 red and blue cup]", 0.5),
        # A box on something red that is no cup; the cup's box is no vase's.
        ("[10,10,20,20 red cup]", 0.0),
        ("[0,0,40,40 red vase]", 0.0),
        ("[900,0,940,40 red cup]", 0.0),
        ("[0,0,1e6,1e6 red cup]", 0.0),
        ("[0,0,40,40 cup] is red", None),
        # A fruit; a colour that pixels do not tell.
        ("[0,0,40,40 orange]", None),
        ("[0,0,40,40 brown cup]", None),
        ("[nan,0,40,40 red cup]", None),
        ("[40,0,0,40 red cup]", None),
        ("", None),
    ],
)
def test_colour_words_of_phrases_are_held_against_the_pixels(
    painted: Sample, text: str, value: float | None
) -> None:
    assert Attribute()(think(painted, text)) == value


def test_where_true_boxes_are_unknown_pixels_alone_decide(painted: Sample) -> None:
    unknown = replace(painted, groundings=())
    assert Attribute()(think(unknown, "[10,10,20,20 red dog]")) == 1.0
    assert Attribute()(think(unknown, "[60,60,90,90 red dog]")) == 0.0


def test_colours_of_an_image_that_is_not_here_cannot_be_looked_at() -> None:
    with pytest.raises(UserError, match="not here"):
        Attribute()(think(replace(sample(CUP), image=NamedImage(key="far")), RED))


def test_a_flood_of_claims_is_cut_off(painted: Sample) -> None:
    flood = "".join(f"[0,0,{x},40 blue cup]" for x in range(1, 4000))
    true = "".join(f"[0,0,{30 + x / 10:.1f},40 red cup]" for x in range(MOST_CLAIMS))
    assert Attribute()(think(painted, flood)) == 0.0
    assert Attribute()(think(painted, true + flood)) == 1.0


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (f"The {RED} is left of the {BLUE}.", 1.0),
        (f"The {RED} is right of the {BLUE}.", 0.0),
        (f"The {RED} is not right of the {BLUE}.", 1.0),
        (f"The {RED} is left of the {BLUE}. The {BLUE} is left of the {RED}.", 0.5),
        (f"The {RED} is left of the {BLUE}. " * 3 + f"The {RED} is right of the {BLUE}.", 0.5),
        # Side by side: neither is above or behind.
        (f"The {RED} is above the {BLUE}.", None),
        (f"The {RED} is behind the {BLUE}.", None),
        (f"The {RED} is behind and the {BLUE} is red.", None),
        # Names moved to the boxes that fit the words.
        ("The [100,0,140,40 cup] is right of the [0,0,40,40 vase].", 0.0),
        # Boxes moved to places that fit the words.
        ("The [150,0,190,40 cup] is right of the [0,0,40,40 mug].", 0.0),
        ("The [0,0,40,40 cup] is left of the [0,0,39,40 mug].", 0.0),
        ("The [nan,0,40,40 cup] is left of the [100,0,140,40 vase].", None),
        ("", None),
    ],
)
def test_stated_relations_are_held_against_the_boxes(text: str, value: float | None) -> None:
    assert SpatialRelation()(think(sample(CUP, VASE), text)) == value


def test_true_boxes_decide_where_those_of_the_completion_are_shifted() -> None:
    near = sample(box(0, 0, 40, 40), box(8, 50, 48, 90))
    shifted = "The [16,0,48,40 cup] is right of the [0,50,32,90 vase]."
    assert SpatialRelation()(think(near, shifted)) == 0.0
    assert SpatialRelation()(think(sample(), shifted)) == 1.0


def test_depth_is_decided_by_where_objects_touch_the_ground() -> None:
    behind = "The [0,0,40,40 cup] is behind the [60,40,100,90 vase]."
    assert SpatialRelation()(think(sample(), behind)) == 1.0
    assert SpatialRelation()(think(sample(), behind.replace("behind", "in front of"))) == 0.0
    # It may stand on a table that comes nearer than the vase.
    table = f"{behind} There is a [0,30,60,99 table]."
    assert SpatialRelation()(think(sample(), table)) is None


def test_a_flood_of_relations_is_cut_off() -> None:
    one = f"The {RED} is left of the {BLUE} "
    wrong = "".join(f"and right of the [{x},0,140,40 vase] " for x in range(60, 120))
    value = SpatialRelation()(think(sample(CUP, VASE), one + wrong))
    assert value == pytest.approx(1 / MOST_STATED)
    assert SpatialRelation()(think(sample(CUP, VASE), one * 1000)) is not None


@pytest.mark.parametrize(
    ("reasoning", "answer", "value"),
    [
        ("The [0,0,40,40 cup] is red.", "red", 1.0),
        ("The [0,0,40,40 red cup].", "A", 1.0),
        ("It is blue.", "blue", 1.0),
        ("It is blue.", "red", 0.0),
        ("It is not red.", "red", 0.0),
        ("It is red.", "", 0.0),
        ("It is red.", "?", 0.0),
        ("", "red", 0.0),
    ],
)
def test_an_answer_follows_from_reasoning_that_names_it(
    reasoning: str, answer: str, value: float
) -> None:
    text = f"<think>{reasoning}</think><answer>{answer}</answer>"
    assert Consistency()(attempt(sample(CUP), text)) == value


def test_an_open_answer_follows_says_the_opposite_or_cannot_be_judged() -> None:
    asked = sample(options=(), answers=("cup",))
    texts = ("It is a cup.", "It is no cup.", "It holds tea.", "")
    values = [
        Consistency()(attempt(asked, f"<think>{text}</think><answer>cup</answer>"))
        for text in texts
    ]
    assert values == [1.0, 0.0, None, 0.0]
    boxes_only = sample(CUP, options=(), answers=())
    assert Consistency()(attempt(boxes_only, "<think>It.</think><answer>here</answer>")) is None


def test_long_answers_are_compared_with_long_reasoning_at_once() -> None:
    text = f"<think>{'a ' * 50_000}</think><answer>{'a ' * 25_000}b</answer>"
    assert Consistency()(attempt(sample(options=(), answers=("cup",)), text)) is None


@pytest.mark.parametrize("answer", ["yes", "no"])
def test_consistency_judges_yes_and_no_by_the_verdict_of_the_reasoning(answer: str) -> None:
    asked = sample(CUP, options=("no", "yes"), answers=("no",))
    text = f"<think>I count the [10,10,60,60 cup]: one.</think><answer>{answer}</answer>"
    assert Consistency()(attempt(asked, text)) is None
    assert Consistency()(attempt(asked, text.replace("one", "one, so no"))) == (answer == "no")


@pytest.mark.slow
def test_reasoning_of_the_world_itself_earns_the_most() -> None:
    values: dict[str, list[float | None]] = {"attribute": [], "relation": [], "consistency": []}
    terms = {"attribute": Attribute(), "relation": SpatialRelation(), "consistency": Consistency()}
    grammar = GRAMMARS["obj_bbox"]
    for one in WorldVQA(size=60).questions().samples:
        answer = completion(
            grammar.render(Response(reasoning=one.rationale or (), answer=", ".join(one.answers)))
        )
        side = one.image.width
        sizes = ImageSizes(width=side, height=side, model_width=side, model_height=side)
        group = RolloutGroup(sample=one, sizes=sizes, completions=(answer,))
        read = read_attempt(group, answer, grammar, Frame.PIXEL)
        for name, term in terms.items():
            values[name].append(term(read))
    assert set(values["consistency"]) == {1.0}
    assert set(values["attribute"]) <= {1.0, None}
    judged = [value for value in values["relation"] if value is not None]
    assert len(judged) > 15
    assert judged.count(1.0) >= len(judged) - 1


@given(text=st.text(st.sampled_from("[]<>,0123456789 .-redlftoisacup/"), max_size=200))
@settings(max_examples=60, deadline=None)
def test_no_text_breaks_a_term(text: str) -> None:
    for term in (SpatialRelation(), Consistency()):
        value = term(think(sample(CUP, VASE), text))
        assert value is None or 0.0 <= value <= 1.0


@pytest.mark.slow
@pytest.mark.parametrize(
    "piece", ["left of ", f"The {RED} is left of the {BLUE} and ", "no ", "<", RED]
)
def test_a_hundred_kilobytes_are_judged(painted: Sample, piece: str) -> None:
    long = think(painted, piece * (100_000 // len(piece)))
    for term in (Attribute(), SpatialRelation(), Consistency()):
        value = term(long)
        assert value is None or 0.0 <= value <= 1.0
