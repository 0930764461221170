"""Questions, samples and training steps of fixed seeds are what they were."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from golden.records import LINES, step_values

FOLDER = Path(__file__).parent / "golden"


@pytest.mark.parametrize("name", LINES)
def test_questions_of_fixed_seeds_are_what_they_were(name: str) -> None:
    assert LINES[name]() == (FOLDER / f"{name}.txt").read_text().splitlines()


def leaves(tree: Any, path: str = "") -> Iterator[tuple[str, float]]:
    """Every number below ``tree`` with its place."""
    if isinstance(tree, dict):
        for key, value in tree.items():
            yield from leaves(value, f"{path}/{key}")
    elif isinstance(tree, list):
        for index, value in enumerate(tree):
            yield from leaves(value, f"{path}/{index}")
    else:
        yield path, tree


def test_losses_and_rewards_of_fixed_seeds_are_what_they_were() -> None:
    before = json.loads((FOLDER / "steps.json").read_text())
    # Processors differ in their last bits.
    assert dict(leaves(step_values())) == pytest.approx(dict(leaves(before)), rel=1e-3, abs=1e-5)
