"""An ablation is what its name says, on the real training config."""

from functools import partial
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate

from groundrl.advantages import Advantage
from groundrl.launch.resolvers import register_resolvers
from groundrl.losses import PolicyLoss

ROOT = Path(__file__).parent.parent

Loss = partial(PolicyLoss, max_completion_tokens=77)
Summed = partial(Advantage, combine="sum_then_normalize")

MEANS = {
    "grpo": (Summed(), Loss(kl_coef=0.04)),
    "dapo": (
        Summed(),
        Loss(clip_high=0.28, kl_coef=0.0, aggregation="token_mean", mask_truncated=True),
    ),
    "dr_grpo": (
        Summed(kind="group_mean"),
        Loss(kl_coef=0.0, aggregation="constant"),
    ),
    "gspo": (
        Summed(),
        Loss(ratio="sequence", clip_low=3e-4, clip_high=4e-4, kl_coef=0.0),
    ),
    "rloo": (
        Summed(kind="leave_one_out"),
        Loss(kl_coef=0.04, aggregation="constant"),
    ),
}


def test_every_ablation_is_listed_here() -> None:
    loss_ablations = {file.stem for file in (ROOT / "conf" / "ablation").glob("*.yaml")}
    assert loss_ablations >= MEANS.keys()


@pytest.mark.parametrize("name", MEANS)
def test_an_ablation_builds_the_loss_of_its_paper(name: str) -> None:
    register_resolvers(ROOT)
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        cfg = compose(
            "train",
            [f"ablation={name}", "stage.grpo.module.sampler.sampling.max_tokens=77"],
        )
    module = cfg.stage.grpo.module
    assert (instantiate(module.advantage), instantiate(module.loss)) == MEANS[name]
    # An overlay that misses the module's path would add a key beside it.
    options = {"_target_", "steps", "prompts_per_step", "by_image", "checkpoint_seconds", "module"}
    assert set(cfg.stage.grpo) == options


@pytest.mark.slow
def test_only_dapo_draws_prompts_anew() -> None:
    register_resolvers(ROOT)
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        rounds = {
            name: compose("train", [f"ablation={name}"]).stage.grpo.module.resample
            for name in MEANS
        }
    assert {name for name, count in rounds.items() if count} == {"dapo"}
