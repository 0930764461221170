"""Python's and NumPy's generators draw through one interface."""

import random

import numpy as np
import pytest

from groundrl.questions.draws import Draws, NumpyDraws, up_to


def generators() -> list[Draws]:
    return [random.Random(0), NumpyDraws(np.random.default_rng(0))]


@pytest.mark.parametrize("draws", generators(), ids=["python", "numpy"])
def test_every_draw_keeps_to_its_range(draws: Draws) -> None:
    assert {draws.randint(2, 4) for _ in range(100)} == {2, 3, 4}
    assert {draws.choice("ab") for _ in range(100)} == {"a", "b"}
    assert {tuple(draws.sample((1, 2, 3), k=2)) for _ in range(200)} == {
        (a, b) for a in (1, 2, 3) for b in (1, 2, 3) if a != b
    }
    assert all(0 <= draws.random() < 1 for _ in range(100))
    assert sorted(up_to(9, [1, 2], draws)) == [1, 2]
    assert len(up_to(1, [1, 2], draws)) == 1


def test_numpys_draws_are_those_of_its_generator() -> None:
    draws, generator = NumpyDraws(np.random.default_rng(3)), np.random.default_rng(3)
    assert draws.choice("abcd") == "abcd"[int(generator.integers(4))]
    assert draws.sample(range(6), k=3) == generator.permutation(6)[:3].tolist()
    assert draws.random() == generator.random()
