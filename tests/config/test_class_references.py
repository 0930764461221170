"""Problems name the option that a user types."""

import pytest
from omegaconf import OmegaConf

from groundrl.config.references import name_typed, references, typed_name

CFG = OmegaConf.create(
    {
        "rationale": "look_first",
        "data": {"rationale": "${rationale}", "train": {"rationale": "${..rationale}"}},
        "grpo": {"sampling": {"max_tokens": 16}, "loss": {"most": "${..sampling.max_tokens}"}},
        "rejection": {"sampling": "${grpo.sampling}"},
        "name": "${rationale}/x",
    }
)


@pytest.mark.parametrize(
    ("key", "typed"),
    [
        ("data.train.rationale", "rationale"),
        ("grpo.loss.most", "grpo.sampling.max_tokens"),
        ("rejection.sampling.max_tokens", "grpo.sampling.max_tokens"),
        ("grpo.sampling.max_tokens", "grpo.sampling.max_tokens"),
        ("name", "name"),
        ("data", "data"),
    ],
)
def test_an_option_is_typed_where_its_value_comes_from(key: str, typed: str) -> None:
    assert typed_name(key, references(CFG)) == typed


def test_a_problem_names_what_is_typed() -> None:
    problem = "data.train.rationale is 'sideways', expected a.b: type data.train.rationale=x"
    named = "rationale is 'sideways', expected a.b: type rationale=x"
    assert name_typed(problem, references(CFG)) == named


def test_options_that_refer_to_each_other_end() -> None:
    found = {"a.x": "b.x", "b.x": "a.x"}
    assert typed_name("a.x", found) in found
