import math
from dataclasses import replace
from itertools import pairwise
from typing import Literal

import pytest
import torch
from loss_reference import CHOICES, example, reference, rows_of

from groundrl.errors import UserError
from groundrl.losses import LOSS_METRICS, LossInputs, PolicyLoss

FLAT = PolicyLoss(kl_coef=0.0)


def simple(logprobs: list[list[float]], **values: object) -> LossInputs:
    """Completions without padding, on-policy, with advantage 1."""
    tensor = torch.tensor(logprobs, requires_grad=True)
    mask = torch.ones_like(tensor, dtype=torch.bool)
    base = LossInputs(logprobs=tensor, advantages=torch.ones(len(logprobs)), completion_mask=mask)
    return replace(base, **values)


def gradient(loss: PolicyLoss, inputs: LossInputs) -> torch.Tensor:
    return torch.autograd.grad(loss(inputs).loss, inputs.logprobs)[0]


@pytest.mark.slow
@pytest.mark.parametrize("per_token", [False, True], ids=["per_completion", "per_token"])
@pytest.mark.parametrize(
    ("dtype", "bound"), [(torch.float32, 1e-6), (torch.float64, 1e-12)], ids=["fp32", "fp64"]
)
def test_every_combination_of_choices_equals_the_formula_written_as_loops(
    dtype: torch.dtype, bound: float, per_token: bool
) -> None:
    worst_value = worst_gradient = 0.0
    for loss in CHOICES:
        inputs = example(dtype, per_token)
        expected, slopes = reference(loss, inputs)
        got, grad = loss(inputs).loss, gradient(loss, inputs).double()
        # Relative to the sum of magnitudes: contributions of both signs may cancel.
        scale = sum(abs(s) for row in slopes for s in row)
        worst_value = max(worst_value, abs(got.item() - expected) / max(abs(expected), scale))
        error = (grad - torch.tensor(slopes, dtype=torch.float64)).norm()
        worst_gradient = max(worst_gradient, (error / grad.norm()).item())
    print(f"{len(CHOICES)} losses: value {worst_value:.1e}, gradient {worst_gradient:.1e}")
    assert worst_value < bound
    assert worst_gradient < bound


def test_grpo_weighs_completions_equally_and_dapo_tokens() -> None:
    inputs = simple(
        [[-1.0, -1.0, -1.0], [-1.0, 0.0, 0.0]],
        advantages=torch.tensor([1.0, -2.0]),
        completion_mask=torch.tensor([[True, True, True], [True, False, False]]),
    )
    assert FLAT(inputs).loss.item() == pytest.approx((-1 + 2) / 2)
    assert replace(FLAT, aggregation="token_mean")(inputs).loss.item() == pytest.approx(-1 / 4)
    constant = replace(FLAT, aggregation="constant", max_completion_tokens=10)
    assert constant(inputs).loss.item() == pytest.approx(-1 / 20)


@pytest.mark.parametrize("bounds", [(0, 5), (0, 2, 5), (0, 1, 2, 3, 4, 5)], ids=str)
@pytest.mark.parametrize("loss", CHOICES[::7], ids=lambda x: f"{x.ratio}-{x.aggregation}-{x.kl}")
def test_minibatches_with_one_normalizer_add_up_to_the_whole_step(
    loss: PolicyLoss, bounds: tuple[int, ...]
) -> None:
    inputs = example(torch.float64, per_token=False)
    whole = loss(inputs)
    normalizer = loss.normalizer(inputs.completion_mask, inputs.truncated)
    parts = [loss(rows_of(inputs, a, b), normalizer) for a, b in pairwise(bounds)]
    torch.testing.assert_close(sum(part.loss for part in parts), whole.loss, rtol=1e-12, atol=0)
    for name, value in whole.metrics.items():
        summed = sum(part.metrics[name] for part in parts)
        torch.testing.assert_close(summed, value, rtol=1e-12, atol=0)
    grads = [torch.autograd.grad(part.loss, inputs.logprobs)[0] for part in parts]
    torch.testing.assert_close(sum(grads), gradient(loss, inputs), rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("aggregation", ["sequence_mean", "token_mean", "constant"])
def test_truncated_completions_count_as_though_they_were_never_sampled(
    aggregation: Literal["sequence_mean", "token_mean", "constant"],
) -> None:
    loss = PolicyLoss(aggregation=aggregation, mask_truncated=True, max_completion_tokens=9)
    inputs = example(torch.float64, per_token=False)
    assert inputs.truncated is not None
    kept = [i for i, cut in enumerate(inputs.truncated.tolist()) if not cut]
    values = {name: getattr(inputs, name) for name in LossInputs.__dataclass_fields__}
    without = LossInputs(**{name: value[kept] for name, value in values.items()})
    torch.testing.assert_close(loss(inputs).loss, loss(without).loss, rtol=1e-12, atol=0)
    assert gradient(loss, inputs)[[1, 4]].abs().max() == 0


def test_a_step_of_truncated_completions_only_is_zero() -> None:
    loss = replace(FLAT, mask_truncated=True)
    inputs = simple([[-1.0, -2.0]], truncated=torch.tensor([True]))
    assert loss(inputs).loss.item() == 0.0
    assert gradient(loss, inputs).tolist() == [[0.0, 0.0]]


def test_what_padding_holds_does_not_matter() -> None:
    loss = PolicyLoss(importance_cap=2.0)
    clean = example(torch.float64, per_token=False)
    fields = ("logprobs", "old_logprobs", "ref_logprobs", "sampler_logprobs")
    for rubbish in (float("nan"), float("-inf"), 7.0):
        dirty = replace(
            clean,
            **{
                name: getattr(clean, name).detach().masked_fill(~clean.completion_mask, rubbish)
                for name in fields
            },
        )
        dirty.logprobs.requires_grad_()
        assert torch.equal(loss(dirty).loss, loss(clean).loss)
        assert torch.equal(gradient(loss, dirty), gradient(loss, clean))


def test_on_policy_the_ratio_is_one_and_the_gradient_that_of_reinforce() -> None:
    inputs = simple([[-1.0, -2.0]], advantages=torch.tensor([3.0]))
    for ratio in ("token", "sequence"):
        loss = replace(FLAT, ratio=ratio)
        out = loss(inputs)
        assert out.loss.item() == -3.0
        assert out.metrics["policy/ratio_mean"].item() == 1.0
        assert gradient(loss, inputs).tolist() == [[-1.5, -1.5]]


def test_gradients_flow_to_the_policy_alone() -> None:
    inputs = simple([[-1.0, -2.0]])
    same = replace(inputs, old_logprobs=inputs.logprobs, ref_logprobs=inputs.logprobs)
    assert gradient(PolicyLoss(), same).tolist() == [[-0.5, -0.5]]


def test_gspo_uses_the_geometric_mean_of_the_token_ratios() -> None:
    old = torch.tensor([[-1.1, -1.3, -0.7]])
    inputs = simple([[-1.0, -1.0, -1.0]], old_logprobs=old)
    loss = PolicyLoss(ratio="sequence", kl_coef=0.0)
    assert loss(inputs).loss.item() == pytest.approx(-math.exp((0.1 + 0.3 - 0.3) / 3))


def test_clip_higher_lets_good_tokens_grow_further() -> None:
    inputs = simple([[-1.0]], old_logprobs=torch.tensor([[-1.25]]))  # ratio 1.284
    assert FLAT(inputs).loss.item() == pytest.approx(-1.2)
    assert replace(FLAT, clip_high=0.28)(inputs).loss.item() == pytest.approx(-1.28)
    assert FLAT(inputs).metrics["policy/clip_frac_high"].item() == 1.0
    assert FLAT(inputs).metrics["policy/clip_frac_low"].item() == 0.0
    bad = replace(inputs, advantages=torch.tensor([-1.0]))
    assert FLAT(bad).loss.item() == pytest.approx(math.exp(0.25))


def test_a_ratio_cut_from_below_is_counted_for_bad_tokens_only() -> None:
    inputs = simple([[-2.0, -1.0]], old_logprobs=torch.tensor([[-1.0, -1.0]]))
    bad = replace(inputs, advantages=torch.tensor([-1.0]))
    assert FLAT(inputs).metrics["policy/clip_frac_low"].item() == 0.0
    assert FLAT(bad).metrics["policy/clip_frac_low"].item() == 0.5
    assert gradient(FLAT, bad).tolist() == [[0.0, 0.5]]


@pytest.mark.parametrize(
    ("kl", "value"), [("k1", -0.5), ("k2", 0.125), ("k3", math.exp(0.5) - 1.5)]
)
def test_kl_estimators_have_their_published_values(
    kl: Literal["k1", "k2", "k3"], value: float
) -> None:
    inputs = simple([[-1.0]], ref_logprobs=torch.tensor([[-0.5]]), advantages=torch.zeros(1))
    out = PolicyLoss(kl=kl, kl_coef=2.0)(inputs)
    assert out.metrics["policy/kl"].item() == pytest.approx(value)
    assert out.loss.item() == pytest.approx(2 * value)


def test_k3_stays_exact_when_policy_and_reference_nearly_agree() -> None:
    inputs = simple([[-1.0]], ref_logprobs=torch.tensor([[-1.0 + 2**-13]]))
    exact = (2**-13) ** 2 / 2 + (2**-13) ** 3 / 6
    got = PolicyLoss()(inputs).metrics["policy/kl"].item()
    assert got == pytest.approx(exact, rel=2e-3)


@pytest.mark.parametrize("ratio", ["token", "sequence"])
def test_absurd_log_ratios_overflow_nowhere(ratio: Literal["token", "sequence"]) -> None:
    loss = PolicyLoss(ratio=ratio, importance_cap=2.0)
    inputs = simple(
        [[-500.0, -0.1]],
        old_logprobs=torch.tensor([[-0.1, -500.0]]),
        ref_logprobs=torch.tensor([[-0.1, -500.0]]),
        sampler_logprobs=torch.tensor([[-500.0, -0.1]]),
        advantages=torch.tensor([-1.0]),
    )
    out = loss(inputs)
    assert out.loss.isfinite()
    assert gradient(loss, inputs).isfinite().all()
    assert all(value.isfinite() for value in out.metrics.values())


def test_half_precision_log_probabilities_are_widened() -> None:
    inputs = example(torch.float32, per_token=False)
    halves = replace(inputs, logprobs=inputs.logprobs.detach().bfloat16())
    assert PolicyLoss()(halves).loss.dtype == torch.float32


def test_truncated_importance_weights_scale_the_policy_term_up_to_the_cap() -> None:
    inputs = simple([[-1.0, -1.0]], sampler_logprobs=torch.tensor([[-1.2, -3.0]]))
    out = PolicyLoss(kl_coef=0.0, importance_cap=2.0)(inputs)
    assert out.loss.item() == pytest.approx(-(math.exp(0.2) + 2.0) / 2)
    assert out.metrics["policy/sampler_gap"].item() == pytest.approx((0.2 + 2.0) / 2)


@pytest.mark.parametrize("missing", [float("nan"), float("-inf"), float("inf")])
def test_a_token_that_the_sampler_has_no_value_for_is_not_corrected(missing: float) -> None:
    loss = PolicyLoss(kl_coef=0.0, importance_cap=2.0)
    inputs = simple([[-1.0, -1.0]], sampler_logprobs=torch.tensor([[-1.2, missing]]))
    out = loss(inputs)
    assert out.loss.item() == pytest.approx(-(math.exp(0.2) + 1.0) / 2)
    expected = torch.tensor([[-math.exp(0.2) / 2, -1.0 / 2]])
    torch.testing.assert_close(gradient(loss, inputs), expected)
    assert out.metrics["policy/sampler_gap"].item() == pytest.approx(0.2 / 2)
    assert out.metrics["policy/sampler_missing_frac"].item() == 0.5


def test_two_infinite_log_probabilities_do_not_become_nan() -> None:
    loss = PolicyLoss(kl_coef=0.0, importance_cap=2.0)
    nothing = torch.tensor([[-torch.inf]])
    inputs = simple([[-1.0]], old_logprobs=nothing, sampler_logprobs=nothing)
    out = loss(inputs)
    assert out.loss.item() == pytest.approx(-1.2)  # the clipped ratio
    assert gradient(loss, inputs).item() == 0.0
    assert all(value.isfinite() for value in out.metrics.values())


def test_metrics_are_declared_and_leave_the_graph() -> None:
    metrics = PolicyLoss()(example(torch.float32, per_token=True)).metrics
    assert not any(value.requires_grad for value in metrics.values())
    assert set(metrics) == set(LOSS_METRICS)


def test_the_normalizers_of_two_processes_add_up() -> None:
    # Two processes with 1 and 3 tokens: summed gradients must weigh all 4 tokens equally.
    loss = replace(FLAT, aggregation="token_mean")
    one, three = simple([[-1.0]], advantages=torch.tensor([4.0])), simple([[-1.0] * 3])
    shared = loss.normalizer(one.completion_mask) + loss.normalizer(three.completion_mask)
    total = loss(one, shared).loss + loss(three, shared).loss
    assert total.item() == pytest.approx(-(4 + 3) / 4)


@pytest.mark.parametrize(
    ("loss", "message"),
    [
        (PolicyLoss(), "kl_coef=0.01 needs ref_logprobs"),
        (replace(FLAT, importance_cap=2.0), "importance_cap=2.0 needs sampler_logprobs"),
        (replace(FLAT, mask_truncated=True), "which completions are truncated"),
    ],
)
def test_a_choice_without_its_input_is_refused(loss: PolicyLoss, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        loss(simple([[-1.0]]))


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        ({"aggregation": "constant"}, "set it to the rollout's max_tokens"),
        ({"clip_low": 1.5}, "expected 0 <= clip_low < 1"),
        ({"clip_high": -0.1}, "expected 0 <= clip_low < 1"),
    ],
)
def test_the_error_for_an_impossible_choice_names_what_to_type(choices: dict, message: str) -> None:
    with pytest.raises(UserError, match=message):
        PolicyLoss(**choices)
