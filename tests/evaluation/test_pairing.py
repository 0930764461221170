"""Answers of others' files find their questions by what they say, or are refused."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundrl.answers.notation import Notation
from groundrl.answers.record import AnswerOrigin
from groundrl.boxes import ImageSizes
from groundrl.errors import UserError
from groundrl.evaluation.answer_format import Clue
from groundrl.evaluation.pairing import image_name, pair_by_clues, possible_wordings, wording_key
from groundrl.evaluation.recorded import RecordedAnswer, read_predictions
from groundrl.grammar import get_grammar
from groundrl.records import Completion, NamedImage, Provenance, RolloutGroup, Sample

OBJECTS = ("dog", "cat", "car", "cup", "bus", "hat")


def question(key: str, text: str, image: str, options: Sequence[str] = ()) -> Sample:
    return Sample(
        id=key,
        image=NamedImage(key=image),
        question=text,
        options=tuple(options),
        provenance=Provenance(dataset="set", split="test"),
    )


def presence(images: int) -> list[Sample]:
    """As POPE: the same six questions about each image."""
    return [
        question(f"{6 * k + i}", f"Is there a {name} in the image?", f"COCO_val2014_{k:012d}.jpg")
        for k in range(images)
        for i, name in enumerate(OBJECTS)
    ]


def answer(asked: Sample, place: int, prompt: str = "", **clue: str) -> RecordedAnswer:
    """The answer to ``asked`` as record ``place`` of a file: its text is the question's id."""
    said = question(str(place), prompt, str(place), asked.options)
    completion = Completion(text=asked.id, tokens=(), logprobs=(), truncated=False)
    sizes = ImageSizes(width=0, height=0, model_width=0, model_height=0)
    return RecordedAnswer(
        set="",
        group=RolloutGroup(sample=said, sizes=sizes, completions=(completion,)),
        origin=AnswerOrigin(notation=Notation.of("inline_box", "pixel")),
        clue=Clue(**clue),
    )


def right(asked: Sequence[Sample], own: Sequence[RecordedAnswer]) -> bool:
    """Whether every question gets its own answer."""
    pairs = pair_by_clues("file", asked, own)
    assert [sample for sample, _ in pairs] == list(asked)
    return all(sample.id == one.group.completions[0].text for sample, one in pairs)


@given(order=st.permutations(range(18)))
def test_a_list_in_any_order_is_paired_by_id_or_by_wording_and_image(order: list[int]) -> None:
    asked = presence(3)
    shuffled = [asked[i] for i in order]
    assert right(asked, [answer(one, i, id=one.id) for i, one in enumerate(shuffled)])
    with_image = [
        answer(one, i, one.question, image=one.image.key) for i, one in enumerate(shuffled)
    ]
    assert right(asked, with_image)


@given(order=st.permutations(range(12)))
def test_wording_alone_is_enough_where_the_order_fits_too(order: list[int]) -> None:
    asked = presence(2)
    own = [answer(asked[i], place, asked[i].question) for place, i in enumerate(order)]
    if [one.group.sample.question for one in own] == [one.question for one in asked]:
        assert len(pair_by_clues("file", asked, own)) == 12
    else:
        with pytest.raises(UserError, match="fit several questions"):
            pair_by_clues("file", asked, own)


def test_answers_to_other_questions_are_refused() -> None:
    asked = presence(2)
    with pytest.raises(UserError, match="12 of 12 records ask none of its 12 questions"):
        right(asked, [answer(one, i, f"Where is it, {i}?") for i, one in enumerate(asked)])
    with pytest.raises(UserError, match="12 of 12 records do not say which question they answer"):
        right(asked, [answer(one, i) for i, one in enumerate(asked)])
    other = presence(4)[12:]
    elsewhere = [answer(one, i, one.question, image=one.image.key) for i, one in enumerate(other)]
    with pytest.raises(UserError, match="12 of 12 records ask none"):
        right(asked, elsewhere)
    with pytest.raises(UserError, match="12 of 12 records ask none"):
        # The same numbers, of other questions.
        right(asked, [answer(one, i, f"Is it {i}?", id=one.id) for i, one in enumerate(asked)])


def test_questions_that_are_all_the_same_need_an_id_or_an_image() -> None:
    asked = [question(str(k), "Describe this picture.", f"{k}.jpg") for k in range(4)]
    with pytest.raises(UserError, match="4 of 4 records fit several questions"):
        right(asked, [answer(one, i, one.question) for i, one in enumerate(asked)])
    own = [answer(one, i, "What do you see?", image=one.image.key) for i, one in enumerate(asked)]
    assert right(asked, own[::-1])


def test_the_options_tell_questions_of_one_wording_apart() -> None:
    asked = [question("a", "What is it?", "0", ("cup", "hat")), question("b", "What is it?", "1")]
    asked[1] = question("b", "What is it?", "1", ("dog", "cat"))
    own = [answer(one, i, one.question) for i, one in enumerate(reversed(asked))]
    assert right(asked, own)


def test_a_question_that_is_answered_twice_is_named() -> None:
    asked = presence(1)
    own = [answer(one, i, one.question) for i, one in enumerate([*asked[:5], asked[0]])]
    with pytest.raises(UserError, match="answers 1 questions twice, for example 0"):
        right(asked, own)


@pytest.mark.parametrize(
    "prompt",
    [
        "Is there a dog?",
        "<image>\nIs there a dog?\nAnswer the question using a single word or phrase.",
        "Is there a dog? Please answer yes or no.",
        "You are shown an image. Is there a dog? Answer yes or no.",
        "Question:  is there\ta dog",
        'Is this said rightly?\n"Is there a dog?"',
    ],
)
def test_a_question_is_found_in_the_prompts_of_others(prompt: str) -> None:
    assert wording_key("Is there a dog?") in possible_wordings(prompt)
    assert wording_key("Is there a cat?") not in possible_wordings(prompt)


def test_images_are_compared_by_name() -> None:
    names = ["COCO_val2014_000000310196.jpg", "/data/val2017/000000310196.jpg", "000000310196"]
    assert {image_name(name) for name in names} == {"000000310196"}
    assert image_name("artwork/10002.jpg") != image_name("artwork/10003.jpg")


def test_a_list_may_name_ids_and_images(tmp_path: Path) -> None:
    row: dict[str, Any] = {"ground_truth_response": "yes", "generated_response": "yes"}
    rows = [row | {"question_id": 7}, row | {"id": "a", "image": "b.jpg"}]
    (tmp_path / "outputs.json").write_text(json.dumps(rows))
    found = read_predictions(tmp_path / "outputs.json", get_grammar("inline_box"))
    assert [one.clue for one in found] == [Clue(id="7"), Clue(id="a", image="b.jpg")]
