"""Losses and rewards of fixed seeds are what they were.

``WRITE_GOLDEN=1 pytest tests/stages/test_golden_steps.py`` writes the file anew.
"""

import json
import os
from pathlib import Path

import pytest
from stage_runs import MakePolicy, grpo_module, logged, sft_module, train

FILE = Path(__file__).parent.parent / "golden" / "steps.json"


@pytest.mark.slow
def test_losses_and_rewards_of_fixed_seeds_are_what_they_were(
    make_policy: MakePolicy, tmp_path: Path
) -> None:
    train(sft_module(make_policy()), tmp_path / "sft")
    module = grpo_module(make_policy(), num_epochs=2, num_minibatches=2)
    train(module, tmp_path / "grpo")
    curves = {
        f"{stage}/{name}/{step}": value
        for stage in ("sft", "grpo")
        for name, values in logged(tmp_path / stage).items()
        for step, value in values.items()
    }
    if os.environ.get("WRITE_GOLDEN"):
        FILE.write_text(json.dumps(curves, indent=1, sort_keys=True) + "\n")
    # Processors differ in their last bits.
    assert curves == pytest.approx(json.loads(FILE.read_text()), rel=1e-3, abs=1e-5)
