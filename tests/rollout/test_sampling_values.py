"""Sampling options outside their ranges: all of them in one error, before weights load."""

from typing import Any

import pytest
from config_problems import problems
from hypothesis import given
from hypothesis import strategies as st

from groundrl.errors import UserError
from groundrl.rollout.base import Sampling

NODE = {"_target_": "groundrl.rollout.base.Sampling"}


@pytest.mark.parametrize(
    ("name", "value", "usual"),
    [
        ("max_tokens", 0, 128),
        ("temperature", -1.0, 1.0),
        ("temperature", float("inf"), 1.0),
        ("top_p", 0.0, 1.0),
        ("top_p", float("nan"), 1.0),
        ("top_k", -1, 0),
        ("min_p", 2.0, 0.0),
    ],
)
def test_a_value_outside_its_range_is_refused(name: str, value: Any, usual: Any) -> None:
    message = rf"{name}={value} \(expected .*type for example sampling\.{name}={usual}$"
    with pytest.raises(UserError, match=message):
        Sampling(**{name: value})


def test_one_error_before_anything_is_built_names_all() -> None:
    config = {"stage": {"sampling": NODE | {"top_k": -1, "min_p": 2.0, "max_tokens": "${tokens}"}}}
    assert problems(config | {"tokens": 8}) == [
        "tokens cannot be sampled with top_k=-1 (expected 0 or more), min_p=2.0 (expected from 0 "
        "to 1): type for example stage.sampling.top_k=0 stage.sampling.min_p=0.0"
    ]


@given(
    temperature=st.floats(0, 10),
    top_p=st.floats(0, 1, exclude_min=True),
    top_k=st.integers(0, 99),
    min_p=st.floats(0, 1),
)
def test_every_other_value_is_taken(
    temperature: float, top_p: float, top_k: int, min_p: float
) -> None:
    Sampling(max_tokens=1, temperature=temperature, top_p=top_p, top_k=top_k, min_p=min_p)
