import re
from typing import Any

import pytest
from attempts import attempt, box, sample

from groundrl.errors import UserError
from groundrl.rewards.function import Function, load_function

SEEN: dict[str, Any] = {}


def recorded(prompts: list[str], completions: list[str], **columns: Any) -> list[float]:
    SEEN.update(prompts=prompts, completions=completions, **columns)
    return [0.25]


def brevity(prompts: list[str], completions: list[str], answers: list[list[str]]) -> list[float]:
    return [float(len(answers[0]) - len(text)) for text in completions]


def abstains(completions: list[str], **_: Any) -> list[None]:
    return [None for _ in completions]


def wrong_length(completions: list[str], **_: Any) -> list[float]:
    return []


def not_a_number(completions: list[str], **_: Any) -> list[float]:
    return [float("nan")]


THIS = __name__
SAID = attempt(sample(box(1, 2, 3, 4)), "yes", tokens=2)


def test_a_function_gets_the_sample_as_columns() -> None:
    assert Function(f"{THIS}.recorded", weight=2.0)(SAID) == 0.25
    assert SEEN == {
        "prompts": ["Which colour?"],
        "completions": ["yes"],
        "completion_ids": [[1, 1]],
        "id": ["s-1"],
        "question": ["Which colour?"],
        "problem": ["Which colour?"],
        "options": [["red", "blue"]],
        "answers": [["red"]],
        "answer": ["red"],
        "solution": ["red"],
        "ground_truth": ["red"],
        "kind": ["color"],
        "labels": [["cup"]],
        "boxes": [[[1.0, 2.0, 3.0, 4.0]]],
    }


def test_a_function_gets_only_the_columns_that_it_names() -> None:
    assert Function(f"{THIS}.brevity")(SAID) == -2.0


def test_a_function_may_abstain() -> None:
    assert Function(f"{THIS}.abstains")(SAID) is None


@pytest.mark.parametrize("name", ["wrong_length", "not_a_number"])
def test_a_result_that_is_no_reward_is_explained(name: str) -> None:
    with pytest.raises(UserError, match=f"{name} returned .* expected a list with one finite"):
        Function(f"{THIS}.{name}")(SAID)


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("brevity", "names no module"),
        ("no_such_module.brevity", "cannot be imported"),
        (f"{THIS}.nothing", "has no function called 'nothing'"),
        (f"{THIS}.SEEN", "has no function called 'SEEN'"),
    ],
)
def test_a_path_to_no_function_is_explained(path: str, message: str) -> None:
    with pytest.raises(UserError, match=re.escape(message)):
        load_function(path)
