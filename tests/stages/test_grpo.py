"""GRPO against a loop that is written out here, and what it must and must not change."""

import time
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import ClassVar

import pytest
import torch
from stage_runs import MakePolicy, grpo_module, logged, train, weights
from torch import Tensor
from world_questions import world_samples

from groundrl.answers.attempt import Attempt
from groundrl.losses import PolicyLoss
from groundrl.policy.policy import Policy
from groundrl.policy.shared_prefix.layout import Branch
from groundrl.rollout.sampler import Rollout
from groundrl.stages.fitting.batches import learning_groups
from groundrl.stages.fitting.checkpoint_file import read_checkpoint
from groundrl.stages.grpo import GRPOModule
from groundrl.stages.scoring import ScoredRollout

KL = 0.3


@dataclass(frozen=True)
class Constant:
    """Likes everything."""

    needs: ClassVar[frozenset[str]] = frozenset()
    weight: float = 1.0

    def __call__(self, attempt: Attempt) -> float:
        return 1.0


@dataclass
class Sometimes:
    """Tells completions apart for two steps of 12 completions, and then never again."""

    needs: ClassVar[frozenset[str]] = frozenset()
    weight: float = 1.0
    seen: list[Attempt] = field(default_factory=list)

    def __call__(self, attempt: Attempt) -> float:
        self.seen.append(attempt)
        return float(len(self.seen) % 2) if len(self.seen) <= 24 else 1.0


def moved_policy(make_policy: MakePolicy, prefix_sharing: bool = True) -> Policy:
    """One whose adapter does something: a fresh one has no gradient on half of its weights."""
    policy = make_policy("lora", prefix_sharing)
    noise = torch.Generator().manual_seed(1)
    for parameter in policy.parameters():
        if parameter.requires_grad:
            parameter.data += 0.02 * torch.randn(parameter.shape, generator=noise)
    return policy


def drift(policy: Policy) -> None:
    """Away from the reference, as after some steps."""
    noise = torch.Generator().manual_seed(2)
    for parameter in policy.parameters():
        if parameter.requires_grad:
            parameter.data += 0.02 * torch.randn(parameter.shape, generator=noise)


class Recorder(torch.optim.SGD):
    """Keeps the gradients that it is asked to step with."""

    def __init__(self, module: torch.nn.Module) -> None:
        super().__init__([p for p in module.parameters() if p.requires_grad], lr=0.0)
        self.seen: list[list[Tensor]] = []

    def step(self, closure: object = None) -> None:
        """Record only."""
        self.seen.append([p.grad.clone() for g in self.param_groups for p in g["params"]])


def module_gradients(module: GRPOModule, rollout: Rollout, advantages: Tensor) -> list[Tensor]:
    """The gradient of one on-policy update as the stage computes it, clipping out of the way."""
    recorder = Recorder(module.policy)
    module.optimizers = lambda: recorder  # pyright: ignore[reportAttributeAccessIssue]
    module.manual_backward = lambda loss: loss.backward()
    module.update(rollout, learning_groups(rollout, advantages))
    return recorder.seen[0]


def written_out(policy: Policy, rollout: Rollout, advantages: Tensor) -> list[Tensor]:
    """GRPO (arXiv 2402.03300, eq. 3 and 4), one completion after the other, on the plain path."""
    policy.zero_grad()
    count = sum(len(group.completions) for group in rollout.groups)
    for i, group in enumerate(rollout.groups):
        for j, completion in enumerate(group.completions):
            branch = [[Branch(tokens=completion.tokens)]]
            logprobs = policy.logprobs([rollout.prompts[i]], branch).logprobs[0]
            with policy.reference():
                d = policy.logprobs([rollout.prompts[i]], branch).logprobs[0] - logprobs.detach()
            # At ratio 1 the surrogate's gradient is A * grad log p; k3's is (1 - e^d) * grad log p.
            slope = -advantages[i, j] + KL * (1 - d.exp())
            ((slope * logprobs).mean() / count).backward()
    return [p.grad.clone() for p in policy.parameters() if p.requires_grad and p.grad is not None]


# One completion a pass, groups cut in two, several groups a pass.
@pytest.mark.slow
@pytest.mark.parametrize("tokens_per_forward", [1, 110, 8192])
def test_a_step_has_the_gradient_of_the_written_out_loop(
    make_policy: MakePolicy, tokens_per_forward: int
) -> None:
    loss = PolicyLoss(kl_coef=KL)
    module = grpo_module(
        moved_policy(make_policy), loss=loss, tokens_per_forward=tokens_per_forward
    )
    plain = grpo_module(moved_policy(make_policy, prefix_sharing=False), loss=loss)
    drift(module.policy)
    drift(plain.policy)
    rollout = module.sampler(module.policy, module.policy.encode.examples(world_samples(3)), step=0)
    scored = ScoredRollout(rollout=rollout, attempts=module.reward(rollout.groups))
    advantages = module.advantage(scored.rewards)
    object.__setattr__(module.optimization, "max_grad_norm", 1e9)
    found = module_gradients(module, rollout, advantages)
    expected = written_out(plain.policy, rollout, advantages)
    scale = max(float(e.abs().max()) for e in expected)
    assert scale > 1e-3
    for f, e in zip(found, expected, strict=True):
        torch.testing.assert_close(f, e, atol=2e-5 * scale, rtol=1e-3)


@pytest.mark.slow
def test_a_learnable_reward_rises(make_policy: MakePolicy, tmp_path: Path) -> None:
    module = grpo_module(
        make_policy(), lr=1e-2, steps=20, group_size=16, loss=PolicyLoss(kl_coef=0.0)
    )
    train(module, tmp_path, steps=20, samples=world_samples(3), checkpoint_seconds=600.0)
    reward = list(logged(tmp_path)["reward/total"].values())
    assert sum(reward[-3:]) / 3 > sum(reward[:3]) / 3 + 0.08


@pytest.mark.slow
def test_the_base_and_the_reference_stay_as_they_are(
    make_policy: MakePolicy, tmp_path: Path
) -> None:
    module = grpo_module(moved_policy(make_policy), loss=PolicyLoss(kl_coef=KL))
    fixed, learning = weights(module.policy, learning=False), weights(module.policy)
    assert any("reference" in name for name in fixed)
    train(module, tmp_path)
    after = weights(module.policy, learning=False)
    assert fixed.keys() == after.keys()
    assert all(torch.equal(fixed[name], after[name]) for name in fixed)
    assert any(not torch.equal(learning[n], value) for n, value in weights(module.policy).items())


@pytest.mark.slow
def test_groups_without_a_winner_change_nothing(make_policy: MakePolicy, tmp_path: Path) -> None:
    module = grpo_module(make_policy(), Constant())
    before = weights(module.policy)
    train(module, tmp_path)
    assert all(torch.equal(before[name], value) for name, value in weights(module.policy).items())
    curves = logged(tmp_path)
    assert list(curves["group/zero_variance_frac"].values()) == [1.0] * 4
    assert "policy/loss" not in curves


@pytest.mark.slow
def test_every_update_on_a_rollout_is_measured_from_where_it_was_sampled(
    make_policy: MakePolicy, tmp_path: Path
) -> None:
    module = grpo_module(make_policy(), lr=2e-2, num_epochs=2, num_minibatches=2)
    train(module, tmp_path, steps=2)
    curves = logged(tmp_path)
    assert module.rollouts_done == 2
    # The first update of a rollout is on-policy, the later ones are not.
    assert any(value != 1.0 for value in curves["policy/ratio_mean"].values())
    state = read_checkpoint(tmp_path / "checkpoints" / "stage" / "last.ckpt")
    steps = {int(s["step"]) for s in state["optimizer_states"][0]["state"].values()}
    assert steps == {2 * 2 * 2}


def test_groups_without_a_winner_count_in_the_denominators(make_policy: MakePolicy) -> None:
    loss = PolicyLoss(kl_coef=0.0)
    module = grpo_module(moved_policy(make_policy), loss=loss)
    object.__setattr__(module.optimization, "max_grad_norm", 1e9)
    rollout = module.sampler(module.policy, module.policy.encode.examples(world_samples(3)), step=0)
    advantages = torch.randn(3, 4, generator=torch.Generator().manual_seed(0))
    advantages[1] = 1e-30
    taken = module_gradients(module, rollout, advantages)
    module.policy.zero_grad()
    advantages[1] = 0.0
    assert set(learning_groups(rollout, advantages)) == {0, 2}
    skipped = module_gradients(module, rollout, advantages)
    for a, b in zip(taken, skipped, strict=True):
        torch.testing.assert_close(a, b)


@pytest.mark.slow
def test_the_samplers_own_logprobs_reach_the_loss(make_policy: MakePolicy, tmp_path: Path) -> None:
    module = grpo_module(make_policy(), loss=PolicyLoss(importance_cap=2.0))
    train(module, tmp_path)
    gap = logged(tmp_path)["policy/sampler_gap"]
    assert gap
    assert all(0 <= value < 1e-4 for value in gap.values())


@pytest.mark.slow
def test_a_metric_that_a_step_lacks_has_a_gap(make_policy: MakePolicy, tmp_path: Path) -> None:
    module = grpo_module(make_policy(), Sometimes())
    train(module, tmp_path)
    curves = logged(tmp_path)
    silent = [step for step, share in curves["group/zero_variance_frac"].items() if share == 1.0]
    assert silent == [3, 4]
    assert not set(silent) & set(curves["policy/loss"])


@pytest.mark.slow
def test_entropy_is_that_of_the_tokens_that_count(make_policy: MakePolicy, tmp_path: Path) -> None:
    """No answer of 8 tokens ends, so that masking truncated ones leaves nothing."""
    module = grpo_module(make_policy(), loss=PolicyLoss(kl_coef=0.0, mask_truncated=True))
    train(module, tmp_path)
    curves = logged(tmp_path)
    assert set(curves["completion/truncated_frac"].values()) == {1.0}
    assert set(curves["policy/entropy"].values()) == {0.0}


@dataclass
class EqualAtFirst:
    """Likes every completion until it has seen one group of each prompt ``rounds`` times."""

    needs: ClassVar[frozenset[str]] = frozenset()
    rounds: int = 1
    weight: float = 1.0
    seen: dict[str, int] = field(default_factory=dict)

    def __call__(self, attempt: Attempt) -> float:
        count = self.seen[attempt.sample.id] = self.seen.get(attempt.sample.id, 0) + 1
        return float(count % 2) if count > 4 * self.rounds else 1.0


@pytest.mark.slow
@pytest.mark.parametrize(("resample", "rescued"), [(0, None), (1, 0.0), (2, 1.0), (5, 1.0)])
def test_groups_without_a_winner_are_drawn_anew(
    make_policy: MakePolicy, tmp_path: Path, resample: int, rescued: float | None
) -> None:
    term = EqualAtFirst(rounds=2)
    module = grpo_module(make_policy(), term, resample=resample)
    train(module, tmp_path, steps=1)
    curves = logged(tmp_path)
    assert set(term.seen.values()) == {4 * (1 + min(resample, 2))}
    assert curves["group/zero_variance_frac"] == {1: 1.0}
    assert curves["reward/total"] == {1: 1.0}  # of the first draw: the others are selected
    assert curves.get("group/rescued_frac") == (None if rescued is None else {1: rescued})
    assert ("policy/loss" in curves) == bool(rescued)


def test_every_round_draws_other_completions(make_policy: MakePolicy) -> None:
    module = grpo_module(make_policy())
    first = module.sampler(module.policy, module.policy.encode.examples(world_samples(3)), step=0)
    for _ in range(2):
        second = module.sampler.resample(module.policy, first, [2, 0], 0, 1).collect()
        assert [g.sample.id for g in second.groups] == [first.groups[i].sample.id for i in (2, 0)]
        texts = [[c.tokens for c in g.completions] for g in (*first.groups, *second.groups)]
        assert len({tokens for group in texts for tokens in group}) == 5 * 4


def test_only_groups_that_got_a_winner_are_replaced(make_policy: MakePolicy) -> None:
    term = EqualAtFirst(rounds=1)
    module = grpo_module(make_policy(), term, resample=1)
    samples = world_samples(3)
    term.seen[samples[0].id] = 4
    first = module.score_rollout(
        partial(module.sampler.start, module.policy, module.policy.encode.examples(samples))
    )
    assert first.zero_variance == [False, True, True]
    drawn = module.resample_equal_groups(first)
    assert drawn.zero_variance == [False] * 3
    assert drawn.rollout.groups[0] is first.rollout.groups[0]
    assert [g.sample.id for g in drawn.rollout.groups] == [s.id for s in samples]


def test_a_step_logs_the_time_of_the_vision_tower(make_policy: MakePolicy, tmp_path: Path) -> None:
    module = grpo_module(make_policy())
    module.policy.vlm.model.visual.register_forward_pre_hook(lambda *_: time.sleep(0.3))
    train(module, tmp_path, steps=2, samples=world_samples(3))
    of_this_step, of_both = module.logged["time/vision"], module.policy.tower.seconds
    assert 0.3 <= of_this_step <= of_both - 0.3
    assert of_this_step < module.logged["time/rollout"]
