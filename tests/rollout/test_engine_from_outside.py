"""A rollout engine that groundrl does not know: one class with one method."""

from pathlib import Path
from typing import Any

import pytest
import torch
from hydra.utils import instantiate
from omegaconf import OmegaConf
from stage_runs import MakePolicy, grpo_module, train, weights

from groundrl.config.check import check_config
from groundrl.errors import UserError
from groundrl.rollout.base import RolloutEngine


def engine(**options: Any) -> RolloutEngine:
    """The engine, built from a config as a YAML file of ``conf/rollout`` would hold it."""
    config = {"_target_": "mylab.engines.FixedEngine", **options}
    check_config(OmegaConf.create({"rollout": config}))
    return instantiate(config)


@pytest.mark.slow
def test_a_grpo_step_learns_from_its_completions(make_policy: MakePolicy, tmp_path: Path) -> None:
    module = grpo_module(make_policy(), engine=engine(length=5))
    before = weights(module.policy)
    train(module, tmp_path, steps=1, prompts_per_step=2)
    assert module.last is not None
    groups = module.last[0].rollout.groups
    assert [len(c.tokens) for group in groups for c in group.completions] == [6] * 8
    assert groups[0].completions[1].text == module.policy.decode(range(140, 145))
    after = weights(module.policy)
    assert any(not torch.equal(before[name], after[name]) for name in before)


def test_an_error_about_full_memory_names_its_options(
    make_policy: MakePolicy, tmp_path: Path
) -> None:
    module = grpo_module(make_policy(), engine=engine(fails=True))
    with pytest.raises(UserError, match=r"lower rollout\.length \(now 3\)"):
        train(module, tmp_path, steps=1, prompts_per_step=2)
