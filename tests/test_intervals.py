import math
from collections.abc import Callable
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from groundrl.intervals import (
    Interval,
    bootstrap,
    holm,
    mcnemar,
    sign_flip,
    t_interval,
    values_needed,
    wilson,
)

VALUES = [0.1, 0.9, 0.4, 0.4, 0.75, 0.0, 1.0, 0.33]


@settings(deadline=None)
@given(data=st.data(), n=st.integers(1, 5000))
def test_wilson_equals_scipy(data: st.DataObject, n: int) -> None:
    successes = data.draw(st.integers(0, n))
    expected = stats.binomtest(successes, n).proportion_ci(method="wilson")
    got = wilson(successes, n)
    assert (got.low, got.high) == pytest.approx((expected.low, expected.high), abs=1e-12)
    assert 0 <= got.low <= got.mean <= got.high <= 1


def test_wilson_of_the_published_example() -> None:
    # 86.47 % of 340 claims.
    got = wilson(294, 340)
    assert (got.mean, got.n) == (294 / 340, 340)
    assert (got.low, got.high) == pytest.approx((0.824, 0.897), abs=5e-4)


def test_certainty_keeps_a_margin_on_the_other_side_only() -> None:
    assert wilson(0, 10).low == 0.0
    assert wilson(0, 10).high == pytest.approx(0.2775, abs=1e-4)
    assert wilson(10, 10).high == 1.0


@pytest.mark.parametrize(("successes", "n"), [(0, 0), (3, 2), (-1, 2)])
def test_an_impossible_proportion_is_refused(successes: int, n: int) -> None:
    with pytest.raises(ValueError, match="is no proportion"):
        wilson(successes, n)


@pytest.mark.parametrize("n", [2, 3, 8])
def test_the_interval_over_seeds_equals_scipy(n: int) -> None:
    values = VALUES[:n]
    low, high = stats.t.interval(0.95, n - 1, loc=np.mean(values), scale=stats.sem(values))
    got = t_interval(values)
    assert (got.low, got.high) == pytest.approx((low, high), rel=1e-12)
    assert got.mean == pytest.approx(np.mean(values))


@given(st.lists(st.floats(-1, 1), min_size=2, max_size=8), st.integers(2, 40))
def test_the_values_needed_are_the_fewest_that_the_test_decides(
    values: list[float], limit: int
) -> None:
    needed = values_needed(values, limit)
    mean, deviation = abs(np.mean(values)), np.std(values, ddof=1)
    halves = [stats.t.ppf(0.975, n - 1) * deviation / math.sqrt(n) for n in range(2, limit + 1)]
    assert needed == next((n for n, half in enumerate(halves, start=2) if half < mean), None)


def test_one_value_tells_nothing_about_the_values_needed() -> None:
    with pytest.raises(ValueError, match="no spread"):
        values_needed([0.5], 10)


def test_one_seed_has_a_mean_and_no_interval() -> None:
    got = t_interval([0.5])
    assert (got.mean, got.n) == (0.5, 1)
    assert math.isnan(got.low)
    assert math.isnan(got.high)


def test_bootstrap_equals_scipy_draw_by_draw() -> None:
    expected = stats.bootstrap(
        (np.array(VALUES),),
        np.mean,
        n_resamples=1000,
        method="percentile",
        rng=np.random.default_rng(3),
    ).confidence_interval
    got = bootstrap(VALUES, seed=3)
    assert (got.low, got.high) == pytest.approx((expected.low, expected.high), rel=1e-12)
    assert (got.mean, got.n) == (pytest.approx(np.mean(VALUES)), 8)


def test_clustered_bootstrap_equals_a_loop_over_drawn_clusters() -> None:
    clusters = ["a", "a", "a", "b", "c", "c", "d", "a"]
    weights = [1.0, 2.0, 1.0, 3.0, 1.0, 1.0, 2.0, 5.0]
    rng, means = np.random.default_rng(7), []
    for row in rng.integers(0, 4, (200, 4)):
        drawn = [i for k in row for i, name in enumerate(clusters) if name == "abcd"[k]]
        total = sum(weights[i] for i in drawn)
        means.append(sum(weights[i] * VALUES[i] for i in drawn) / total)
    got = bootstrap(VALUES, clusters, weights, resamples=200, seed=7)
    assert got.low == pytest.approx(np.percentile(means, 2.5), rel=1e-12)
    assert got.high == pytest.approx(np.percentile(means, 97.5), rel=1e-12)
    assert got.mean == pytest.approx(np.average(VALUES, weights=weights))


def test_repeating_a_question_about_an_image_adds_no_certainty() -> None:
    once = bootstrap(VALUES, list(range(8)))
    thrice = bootstrap(VALUES * 3, list(range(8)) * 3)
    assert (thrice.low, thrice.high) == pytest.approx((once.low, once.high), rel=1e-12)
    naive = bootstrap(VALUES * 3)
    assert naive.high - naive.low < thrice.high - thrice.low


def test_a_single_image_gives_an_interval_without_width() -> None:
    assert bootstrap([0.25, 0.75], [5, 5]) == Interval(mean=0.5, low=0.5, high=0.5, n=2)


def test_the_same_seed_gives_the_same_interval() -> None:
    assert bootstrap(VALUES) == bootstrap(VALUES)
    assert bootstrap(VALUES, seed=1) != bootstrap(VALUES)


def test_coverage_of_the_bootstrap_is_near_its_level() -> None:
    rng = np.random.default_rng(0)
    hits = 0
    for trial in range(300):
        got = bootstrap(rng.normal(1.0, 1.0, 60), resamples=300, seed=trial)
        hits += got.low <= 1.0 <= got.high
    assert 0.90 <= hits / 300 <= 0.98


@pytest.mark.parametrize("statistic", [bootstrap, t_interval])
def test_no_values_have_no_mean(statistic: Callable[..., Interval]) -> None:
    with pytest.raises(ValueError, match="at least one number"):
        statistic([])


def test_a_value_without_weight_is_refused() -> None:
    with pytest.raises(ValueError, match="weights must be positive"):
        bootstrap([1.0, 2.0], weights=[1.0, 0.0])


def test_the_sign_flip_test_equals_the_share_of_all_sign_patterns() -> None:
    values = [0.3, -0.1, 0.4, 0.25, 0.0, 0.2, -0.05, 0.35]
    images = ["a", "a", "b", "c", "d", "e", "f", "g"]
    sums = [0.2, 0.4, 0.25, 0.0, 0.2, -0.05, 0.35]
    totals = [abs(np.dot(signs, sums)) for signs in product((-1, 1), repeat=len(sums))]
    exact = np.mean(np.array(totals) >= abs(sum(sums)) - 1e-9)
    assert sign_flip(values, images, flips=40_000) == pytest.approx(exact, abs=0.004)


@pytest.mark.parametrize(("lost", "won"), [(0, 0), (1, 0), (5, 5), (10, 2), (20, 33)])
def test_of_single_verdicts_it_estimates_mcnemars_test(lost: int, won: int) -> None:
    differences = [1.0] * won + [-1.0] * lost + [0.0] * 40
    assert sign_flip(differences) == pytest.approx(mcnemar(lost, won), abs=0.015)


def test_no_p_is_zero_and_copies_of_an_answer_do_not_make_it_smaller() -> None:
    assert sign_flip([1.0] * 500) == 1 / 10_001
    thrice = sign_flip(VALUES * 3, list(range(8)) * 3)
    assert thrice == sign_flip(VALUES, list(range(8)))
    assert sign_flip(VALUES * 3) < thrice


def test_holm_of_a_worked_example() -> None:
    # 4 x .01, 3 x .02, then 2 x .03 = .06 and 1 x .04, raised to it.
    assert holm([0.04, 0.01, 0.03, 0.02]) == pytest.approx([0.06, 0.04, 0.06, 0.06])
    assert holm([0.9, 0.6]) == [1.0, 1.0]
    assert holm([]) == []


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12), st.floats(0.01, 0.2))
def test_holm_rejects_what_its_stepwise_rule_rejects(ps: list[float], level: float) -> None:
    rejected: list[int] = []
    for rank, place in enumerate(sorted(range(len(ps)), key=lambda i: ps[i])):
        if (len(ps) - rank) * ps[place] > level:
            break
        rejected.append(place)
    assert sorted(rejected) == [i for i, p in enumerate(holm(ps)) if p <= level]
