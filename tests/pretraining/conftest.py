"""Lessons of a tiny model."""

from collections.abc import Callable
from typing import Any

import pytest
from pretraining_phases import PHASES

from groundrl.policy.policy import Policy
from groundrl.pretraining.lessons import LessonStream


@pytest.fixture
def stream(make_policy: Callable[..., Policy]) -> Callable[..., LessonStream]:
    policy = make_policy(None)

    def make(**changes: Any) -> LessonStream:
        settings: dict[str, Any] = {
            "encode_image": policy.encode.image_prefix,
            "seed": 3,
            "phases": PHASES,
        }
        return LessonStream(**settings | changes)

    return make
