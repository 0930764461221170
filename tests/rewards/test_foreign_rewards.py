"""Reward functions of other trainers: called as they expect it, or refused at once."""

import json
import re

import foreign_rewards
import pytest
from attempts import attempt, box, sample
from omegaconf import OmegaConf

from groundrl.data.datasets import SampleList
from groundrl.errors import UserError
from groundrl.launch.training import try_functions
from groundrl.rewards.conventions import truth
from groundrl.rewards.function import Function

RED = attempt(sample(box(1, 2, 3, 4)), "red")
BLUE = attempt(sample(box(1, 2, 3, 4)), "blue")


def function(name: str, messages: bool | None = None) -> Function:
    return Function(f"{foreign_rewards.__name__}.{name}", messages=messages)


@pytest.mark.parametrize(
    "name",
    ["trl_solution", "verl", "verl_score", "verl_batch", "easyr1", "easyr1_one", "easyr1_first"],
)
def test_the_truth_reaches_functions_of_every_trainer(name: str) -> None:
    term = function(name)
    assert (term(RED), term(BLUE)) == (1.0, 0.0)


@pytest.mark.parametrize(
    "name",
    [
        *("numpy_array", "numpy_numbers", "torch_tensor", "torch_numbers"),
        *("in_a_tuple", "coroutine", "instance", "truths"),
    ],
)
def test_numbers_come_in_many_kinds(name: str) -> None:
    value = function(name)(RED)
    assert isinstance(value, float)
    assert value == (1.0 if name == "truths" else 0.5)


def test_a_function_that_reads_the_content_gets_chat_messages() -> None:
    assert function("trl_messages")(RED) == 3.0
    assert function("trl_hidden_messages", messages=True)(RED) == 3.0
    with pytest.raises(UserError, match="called as by TRL, completions as texts"):
        function("trl_hidden_messages")(RED)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("trainer_state", "needs the argument 'trainer_state', which samples do not have"),
        ("unknown", "unknown(queries, labels) takes no completions; expected f(prompts"),
        ("Instance", "is a class: give the path of a function, or of an instance"),
    ],
)
def test_a_function_that_cannot_be_called_is_refused_before_anything_is_read(
    name: str, message: str
) -> None:
    with pytest.raises(UserError, match=re.escape(message)):
        function(name)


def test_what_only_other_trainers_offer_is_left_to_its_default() -> None:
    assert function("log_extra")(RED) == 0.0


def test_a_function_that_raises_is_named_with_its_sample_text_and_line() -> None:
    line = foreign_rewards.raises.__code__.co_firstlineno + 1
    with pytest.raises(
        UserError,
        match=rf"foreign_rewards.raises .*raised KeyError: 'image' in .*foreign_rewards.py:{line} "
        "for sample 's-1' and the completion 'red'",
    ):
        function("raises")(RED)


def test_a_mapping_without_its_value_is_no_reward() -> None:
    with pytest.raises(UserError, match=r"returned \{'total': 1.0\} for sample .* a finite number"):
        function("no_overall")(RED)


def test_a_function_is_tried_on_the_first_sample() -> None:
    terms = {"mine": function("raises"), "other": function("verl")}
    train = SampleList((RED.sample,))
    with pytest.raises(UserError, match=r"reward.terms.mine: .*raised KeyError.*<answer>red</answ"):
        try_functions(terms, train)
    try_functions({"other": function("verl"), "no function": OmegaConf.create()}, train)


def test_without_answers_the_boxes_are_the_truth() -> None:
    asked = sample(box(1, 2, 3, 4), answers=(), options=())
    assert json.loads(truth(asked)) == [{"bbox_2d": [1, 2, 3, 4], "label": "cup"}]
    assert truth(sample(answers=("red", "blue"))) == "red, blue"
    assert truth(sample(answers=("sofa", "couch"), options=())) == "sofa"
