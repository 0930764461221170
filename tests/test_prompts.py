from dataclasses import replace
from pathlib import Path

import pytest

from groundrl.boxes import Box, Frame, ImageSizes
from groundrl.errors import UserError
from groundrl.prompts import PromptTemplate
from groundrl.records import Grounding, ImageFile, Provenance, Sample

VASE = Grounding(label="vase", box=Box(x1=10.0, y1=20.0, x2=30.0, y2=41.0, frame=Frame.PIXEL))
SIZES = ImageSizes(width=100, height=200, model_width=50, model_height=100)
SAMPLE = Sample(
    id="s-7",
    image=ImageFile(path=Path("a.png"), width=100, height=200),
    question="Which colours has the vase?",
    options=("red", "blue", "green"),
    answers=("green", "red"),
    groundings=(VASE,),
    rationale=("The ", VASE, " is red and green."),
    provenance=Provenance(dataset="vases", split="train"),
)


def text_of(template: PromptTemplate, sample: Sample) -> str:
    (turn,) = template.messages(sample)
    assert turn["role"] == "user"
    image, text = turn["content"]
    assert image == {"type": "image"}
    return text["text"]


def test_options_are_shown_as_words() -> None:
    assert text_of(PromptTemplate(), SAMPLE) == (
        "Which colours has the vase?\nOptions: red, blue, green."
    )


def test_options_are_shown_with_letters() -> None:
    template = PromptTemplate(instruction="Think first.", answer_style="letters")
    assert text_of(template, SAMPLE) == (
        "Which colours has the vase?\nOptions: (A) red (B) blue (C) green\nThink first."
    )


def test_an_open_question_stands_alone() -> None:
    assert text_of(PromptTemplate(), replace(SAMPLE, options=())) == "Which colours has the vase?"


def test_the_target_is_in_the_models_frame_and_answers_in_option_order() -> None:
    response = PromptTemplate().response(SAMPLE, SIZES, Frame.MODEL)
    box = Box(x1=5.0, y1=10.0, x2=15.0, y2=20.0, frame=Frame.MODEL)
    assert response.reasoning == ("The ", Grounding(label="vase", box=box), " is red and green.")
    assert response.answer == "red, green"


def test_letters_are_answered_with_letters() -> None:
    template = PromptTemplate(answer_style="letters")
    assert template.response(SAMPLE, SIZES, Frame.PERMILLE).answer == "A, C"


def test_an_open_question_is_answered_with_its_first_word() -> None:
    sample = replace(SAMPLE, options=(), answers=("couch", "sofa"))
    assert PromptTemplate().response(sample, SIZES, Frame.UNIT).answer == "couch"


def test_a_question_for_boxes_is_answered_with_their_labels() -> None:
    sample = replace(SAMPLE, options=(), answers=(), groundings=(VASE, VASE))
    assert PromptTemplate().response(sample, SIZES, Frame.UNIT).answer == "vase, vase"


@pytest.mark.parametrize(
    ("sample", "message"),
    [
        (replace(SAMPLE, rationale=None), "'s-7' of vases has no rationale"),
        (replace(SAMPLE, answers=(), groundings=()), "'s-7' of vases has neither answers"),
        (replace(SAMPLE, answers=("pink",)), r"'s-7' of vases: the answers \['pink'\] are not"),
    ],
)
def test_a_sample_that_cannot_be_taught_is_named(sample: Sample, message: str) -> None:
    with pytest.raises(UserError, match=message):
        PromptTemplate().response(sample, SIZES, Frame.MODEL)


def test_only_26_options_have_letters() -> None:
    sample = replace(SAMPLE, options=tuple(map(str, range(27))))
    with pytest.raises(UserError, match="27 options"):
        PromptTemplate(answer_style="letters").messages(sample)
