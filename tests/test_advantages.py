import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from groundrl.advantages import Advantage, Combine, Kind, TermAdvantages, zero_variance

KINDS = ["group_std", "group_mean", "batch_std", "leave_one_out"]
STD_KINDS = ["group_std", "batch_std"]

every_kind = pytest.mark.parametrize("kind", KINDS)

REWARDS = torch.tensor([[1.0, 0.0, 0.0, 1.0], [2.0, 0.0, 1.0, 1.0]], dtype=torch.float64)


@st.composite
def rewards(draw: st.DrawFn) -> Tensor:
    prompts, group_size = draw(st.integers(1, 4)), draw(st.integers(2, 6))
    row = st.lists(
        st.integers(-200, 200).map(lambda n: n / 100), min_size=group_size, max_size=group_size
    )
    rows = draw(st.lists(row, min_size=prompts, max_size=prompts))
    return torch.tensor(rows, dtype=torch.float64)


def test_group_std_divides_by_the_unbiased_deviation_of_the_group() -> None:
    # std of (1, 0, 0, 1) is sqrt(4 * 0.25 / 3) = 0.57735
    expected = 0.5 / (3**-0.5 + 1e-4)
    assert Advantage()(REWARDS)[0].tolist() == pytest.approx(
        [expected, -expected, -expected, expected]
    )


def test_group_mean_only_centers() -> None:
    assert Advantage(kind="group_mean")(REWARDS).tolist() == [
        [0.5, -0.5, -0.5, 0.5],
        [1.0, -1.0, 0.0, 0.0],
    ]


def test_batch_std_divides_all_groups_by_one_deviation() -> None:
    # Eight centered values with squares summing to 4 * 0.25 + 2 = 3.
    scale = (3 / 7) ** 0.5
    got = Advantage(kind="batch_std", eps=0.0)(REWARDS)
    assert got[1].tolist() == pytest.approx([1 / scale, -1 / scale, 0, 0])


def test_leave_one_out_compares_with_the_mean_of_the_others() -> None:
    got = Advantage(kind="leave_one_out")(REWARDS)
    for p, group in enumerate(REWARDS.tolist()):
        for g, reward in enumerate(group):
            others = group[:g] + group[g + 1 :]
            assert got[p, g].item() == pytest.approx(reward - sum(others) / 3)


@every_kind
@settings(deadline=None)
@given(values=rewards())
def test_each_group_sums_to_zero(kind: Kind, values: Tensor) -> None:
    sums = Advantage(kind=kind)(values).sum(dim=1)
    assert sums.abs().max() < 1e-9


@every_kind
@settings(deadline=None)
@given(values=rewards(), shift=st.integers(-10, 10))
def test_a_bonus_for_every_completion_changes_nothing(
    kind: Kind, values: Tensor, shift: int
) -> None:
    advantage = Advantage(kind=kind)
    torch.testing.assert_close(advantage(values + shift), advantage(values), rtol=0, atol=1e-9)


@pytest.mark.parametrize("kind", STD_KINDS)
@settings(deadline=None)
@given(values=rewards(), scale=st.sampled_from([0.25, 3.0, 1000.0]))
def test_the_unit_of_the_reward_does_not_matter(kind: Kind, values: Tensor, scale: float) -> None:
    advantage = Advantage(kind=kind, eps=1e-15)
    torch.testing.assert_close(advantage(values * scale), advantage(values), rtol=0, atol=1e-9)


@every_kind
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("value", [0.0, 0.1, 1e6, 1 / 3])
def test_equal_rewards_give_exactly_zero(kind: Kind, dtype: torch.dtype, value: float) -> None:
    values = torch.full((2, 7), value, dtype=dtype)
    values[1, 0] += 1.0
    got = Advantage(kind=kind)(values)
    assert got[0].tolist() == [0.0] * 7
    assert got[1].abs().max() > 0
    assert zero_variance(values).tolist() == [True, False]


@every_kind
def test_a_batch_without_any_difference_is_zero_and_finite(kind: Kind) -> None:
    assert Advantage(kind=kind)(torch.ones(3, 4)).tolist() == [[0.0] * 4] * 3


@every_kind
def test_a_group_of_one_has_nothing_to_compare(kind: Kind) -> None:
    with pytest.raises(ValueError, match="groups of two or more, got 1"):
        Advantage(kind=kind)(torch.ones(3, 1))


def test_terms_are_summed_before_they_are_compared() -> None:
    terms, weights = torch.stack([REWARDS, 2 * REWARDS.flip(1)]), torch.tensor([1.0, 0.5]).double()
    total = REWARDS + REWARDS.flip(1)
    advantage = Advantage(combine="sum_then_normalize")
    assert torch.equal(advantage.of_terms(terms, weights).total, advantage(total.float()))


def test_each_term_counts_alike_where_it_is_compared_for_itself() -> None:
    # Boxes always differ a little, one answer of four is right.
    boxes = torch.tensor([[0.50, 0.52, 0.54, 0.56]], dtype=torch.float64)
    right = torch.tensor([[1.0, 0.0, 0.0, 0.0]], dtype=torch.float64)
    advantage = Advantage(eps=0.0)
    got = advantage.of_terms(torch.stack([boxes, right]), torch.tensor([1.0, 2.0]).double()).total
    summed = advantage(boxes) + 2 * advantage(right)
    torch.testing.assert_close(got, (summed / summed.std()).float())
    # A rescaled term changes nothing: its weight alone decides.
    scaled = torch.stack([100 * boxes, right])
    again = advantage.of_terms(scaled, torch.tensor([1.0, 2.0]).double()).total
    torch.testing.assert_close(got, again)


@settings(deadline=None)
@given(first=rewards(), weight=st.floats(-2, 2))
def test_a_term_that_is_equal_in_a_group_adds_nothing_to_it(first: Tensor, weight: float) -> None:
    constant = torch.full_like(first, 0.3)
    weights = torch.tensor([1.0, weight], dtype=torch.float64)
    advantage = Advantage()
    got = advantage.of_terms(torch.stack([first, constant]), weights).total
    torch.testing.assert_close(got, advantage.of_terms(first[None], weights[:1]).total)
    assert not got[zero_variance(first)].any()


@every_kind
@pytest.mark.parametrize("combine", ["sum_then_normalize", "normalize_then_sum"])
@settings(deadline=None)
@given(first=rewards(), weight=st.floats(-2, 2))
def test_what_the_terms_add_is_the_advantage(
    kind: Kind, combine: Combine, first: Tensor, weight: float
) -> None:
    terms = torch.stack([first, first.flip(1).square()])
    weights = torch.tensor([1.0, weight], dtype=torch.float64)
    got = Advantage(kind=kind, combine=combine).of_terms(terms, weights)
    torch.testing.assert_close(got.parts.sum(0), got.total, rtol=1e-3, atol=2e-3)
    if got.total.var() > 1e-3:
        assert got.variance_shares().sum().item() == pytest.approx(1, abs=1e-2)


def test_a_term_decides_where_the_others_would_order_a_pair_otherwise() -> None:
    parts = torch.tensor([[[0.0, 3.0, 1.0]], [[1.0, 0.0, 2.0]]])
    compared = TermAdvantages(total=parts.sum(0), parts=parts, scale=1.0)
    # Totals are 1, 3, 3. Without the first term the order of the first two would be reversed, and
    # without the second that of the first and the third would stay.
    assert compared.deciding_shares().tolist() == [0.5, 0.0]


def test_a_term_varies_in_the_groups_that_it_orders() -> None:
    terms = torch.tensor([[[1.0, 1.0, 1.0], [0.0, 1.0, 1.0]], [[0.1, 0.2, 0.3], [0.3, 0.2, 0.1]]])
    for combine in ("sum_then_normalize", "normalize_then_sum"):
        compared = Advantage(combine=combine).of_terms(terms, torch.ones(2))
        assert compared.varying_shares().tolist() == [0.5, 1.0]


def test_a_term_that_does_not_apply_is_no_gain_and_no_loss() -> None:
    first = torch.tensor([[1.0, 0.0, 1.0, 0.0]], dtype=torch.float64)
    second = torch.tensor([[2.0, float("nan"), 4.0, float("nan")]], dtype=torch.float64)
    weights = torch.ones(2, dtype=torch.float64)
    got = Advantage().of_terms(torch.stack([first, second]), weights)
    assert got.parts[1, 0, [1, 3]].tolist() == [0.0, 0.0]
    assert got.parts[1, 0, 0] < 0 < got.parts[1, 0, 2]
    nowhere = torch.full_like(second, float("nan"))
    alone = Advantage().of_terms(first[None], weights[:1])
    with_it = Advantage().of_terms(torch.stack([first, nowhere]), weights)
    torch.testing.assert_close(with_it.total, alone.total)
