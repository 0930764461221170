"""A class that is no reward term is told so before anything is built."""

from dataclasses import dataclass
from typing import Any, ClassVar

import pytest
from config_problems import problems
from omegaconf import OmegaConf

from groundrl.answers.attempt import Attempt
from groundrl.config.check import check_config

HERE = __name__


@dataclass(frozen=True, kw_only=True)
class Bare:
    """Neither needs nor weight."""

    def __call__(self, attempt: Attempt) -> float | None:
        return 1.0


class Silent:
    """It rates nothing."""

    needs: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, weight: float = 1.0) -> None:
        self.weight = weight


class Whole(Silent):
    """A term that is no dataclass."""

    def __call__(self, attempt: Attempt) -> float | None:
        return 1.0


class Batched(Silent):
    """A term that rates many attempts at once."""

    def rate(self, attempts: Any) -> Any:
        return [1.0] * len(attempts)


def config(*names: str) -> dict[str, Any]:
    terms = {name.lower(): {"_target_": f"{HERE}.{name}"} for name in names}
    return {"reward": {"_target_": "groundrl.rewards.base.RewardSum", "terms": terms}}


def test_what_a_class_lacks_is_said_with_the_line_to_add() -> None:
    assert problems(config("Bare", "Silent", "Whole")) == [
        f"reward.terms.bare: {HERE}.Bare is no reward term, it lacks "
        "'needs: ClassVar[frozenset[str]] = frozenset()'; 'weight: float = 1.0'",
        f"reward.terms.silent: {HERE}.Silent is no reward term, it lacks "
        "'def __call__(self, attempt: Attempt) -> float | None'",
    ]


@pytest.mark.parametrize("name", ["Whole", "Batched"])
def test_a_term_of_any_make_passes(name: str) -> None:
    check_config(OmegaConf.create(config(name)))
