"""95 % intervals: of a proportion, of a mean over images, of a mean over seeds."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from scipy.special import stdtrit
from scipy.stats import binomtest

LEVEL = 0.95
"""Coverage of every interval here."""

_UPPER = (1 + LEVEL) / 2

_points = ContextVar("points", default=False)


@contextmanager
def without_intervals() -> Iterator[None]:
    """Inside, the ends of a bootstrap are nan and cost no time: for resampling around it."""
    token = _points.set(True)
    try:
        yield
    finally:
        _points.reset(token)


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A mean and the interval around it, in the units of the values."""

    mean: float
    low: float
    high: float
    n: int
    """Values that the mean is taken over."""

    def figures(self, name: str) -> dict[str, float]:
        """``{name: mean, name_low: low, name_high: high}``."""
        return {name: self.mean, f"{name}_low": self.low, f"{name}_high": self.high}


def wilson(successes: int, n: int) -> Interval:
    """Wilson's score interval of a proportion (Wilson 1927), in [0, 1].

    ``(p + z^2/2n +- z sqrt(p(1-p)/n + z^2/4n^2)) / (1 + z^2/n)``. ValueError unless
    ``0 <= successes <= n`` and ``n > 0``.
    """
    if not 0 <= successes <= n or n == 0:
        raise ValueError(f"{successes} successes in {n} trials is no proportion")
    found = binomtest(successes, n).proportion_ci(LEVEL, method="wilson")
    return Interval(mean=successes / n, low=float(found.low), high=float(found.high), n=n)


def t_interval(values: Sequence[float]) -> Interval:
    """Student's interval of a mean over independent runs: ``mean +- t_{n-1} s / sqrt(n)``.

    ``s`` is the unbiased standard deviation. One value says nothing about spread: its ends are
    nan. ValueError without values.
    """
    array, n = _array(values), len(values)
    mean = float(array.mean())
    if n == 1:
        return Interval(mean=mean, low=math.nan, high=math.nan, n=1)
    half = float(stdtrit(n - 1, _UPPER)) * float(array.std(ddof=1)) / math.sqrt(n)
    return Interval(mean=mean, low=mean - half, high=mean + half, n=n)


def values_needed(values: Sequence[float], limit: int) -> int | None:
    """How many values, with the mean and the spread of these, have a ``t_interval`` without 0.

    None: more than ``limit``, or the mean is 0. ValueError for fewer than two values.
    """
    array = _array(values)
    if len(array) < 2:
        raise ValueError("one value has no spread")
    mean, deviation = abs(float(array.mean())), float(array.std(ddof=1))
    counts = range(2, limit + 1)
    return next((n for n in counts if mean > stdtrit(n - 1, _UPPER) * deviation / n**0.5), None)


def bootstrap(
    values: Sequence[float] | np.ndarray,
    clusters: Sequence[str] | Sequence[int] | np.ndarray | None = None,
    weights: Sequence[float] | np.ndarray | None = None,
    resamples: int = 1000,
    seed: int = 0,
) -> Interval:
    """Percentile bootstrap of ``sum(w v) / sum(w)`` (Efron & Tibshirani 1993, chapter 13).

    Whole clusters are drawn with replacement: questions about one image are not independent.
    Without ``clusters`` every value is its own. Weights must be positive. With a single cluster
    the interval has no width. ValueError without values.
    """
    array = _array(values)
    weight = np.ones_like(array) if weights is None else np.asarray(weights, dtype=np.float64)
    if not (weight > 0).all():
        raise ValueError("weights must be positive: leave values without weight out")
    return bootstrap_of_sums(
        np.stack([array * weight, weight], axis=1),
        lambda sums: sums[..., 0] / sums[..., 1],
        clusters,
        resamples,
        seed,
    )


def bootstrap_of_sums(
    parts: Float[np.ndarray, "n k"],
    statistic: Callable[[Float[np.ndarray, "R k"]], Float[np.ndarray, "R"]],
    clusters: Sequence[str] | Sequence[int] | np.ndarray | None = None,
    resamples: int = 1000,
    seed: int = 0,
) -> Interval:
    """Percentile bootstrap of a function of column sums: a ratio, an F1, a sum of percentages.

    Whole clusters are drawn with replacement, as in ``bootstrap``. ValueError without rows.
    """
    if len(parts) == 0:
        raise ValueError("nothing was counted, so there is nothing to resample")
    mean = float(statistic(parts.sum(axis=0, keepdims=True))[0])
    if _points.get():
        return Interval(mean=mean, low=math.nan, high=math.nan, n=len(parts))
    cluster = np.arange(len(parts))
    if clusters is not None:
        cluster = np.unique(np.asarray(clusters), return_inverse=True)[1]
    sums = np.zeros((cluster.max() + 1, parts.shape[1]))
    np.add.at(sums, cluster, parts)
    drawn = np.random.default_rng(seed).integers(0, len(sums), (resamples, len(sums)))
    # How often each cluster was drawn: a product instead of a table of all draws.
    counts = np.stack([np.bincount(row, minlength=len(sums)) for row in drawn])
    values = statistic(counts @ sums)
    low, high = np.quantile(values, (1 - _UPPER, _UPPER))
    return Interval(mean=mean, low=float(low), high=float(high), n=len(parts))


def bootstrap_figures(
    figures: Callable[[Int[np.ndarray, "clusters"]], Mapping[str, float]],
    clusters: int,
    n: int,
    resamples: int = 1000,
    seed: int = 0,
) -> dict[str, Interval]:
    """Percentile bootstrap of several figures at once: of one run, or of the differences of two
    over the same clusters.

    ``figures``: their values where cluster ``i`` is drawn ``counts[i]`` times. A figure that a
    resample has nothing of is left out there. ``n``: answers of each run.
    """
    whole = figures(np.ones(clusters, dtype=np.int64))
    rng = np.random.default_rng(seed)
    draws = np.full((resamples, len(whole)), np.nan)
    for row in range(resamples):
        found = figures(np.bincount(rng.integers(0, clusters, clusters), minlength=clusters))
        draws[row] = [found.get(name, np.nan) for name in whole]
    ends = np.nanquantile(draws, (1 - _UPPER, _UPPER), axis=0)
    return {
        name: Interval(mean=mean, low=float(low), high=float(high), n=n)
        for (name, mean), low, high in zip(whole.items(), *ends, strict=True)
    }


def _array(values: Sequence[float] | np.ndarray) -> np.ndarray:
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1 or len(array) == 0:
        raise ValueError(f"expected a list of at least one number, got shape {array.shape}")
    return array


def mcnemar(only_a: int, only_b: int) -> float:
    """Two-sided p of the exact McNemar test (McNemar 1947): were ``a`` and ``b`` equally good,
    the questions that only one of them has right would be shared out by a fair coin."""
    n = only_a + only_b
    return float(binomtest(only_a, n, 0.5).pvalue) if n else 1.0


def sign_flip(
    differences: Sequence[float] | np.ndarray,
    clusters: Sequence[str] | Sequence[int] | np.ndarray | None = None,
    flips: int = 10_000,
    seed: int = 0,
) -> float:
    """Two-sided p of a paired permutation test (Fisher 1935): were both equally good, a fair coin
    would give the difference of each cluster its sign.

    ``(1 + #{|T*| >= |T|}) / (1 + flips)`` with ``T`` the sum of the differences (Phipson & Smyth
    2010); whole clusters change their sign, as in ``bootstrap``. For single questions that are
    right or wrong it estimates McNemar's exact test. ValueError without differences.
    """
    array = _array(differences)
    cluster = np.arange(len(array))
    if clusters is not None:
        cluster = np.unique(np.asarray(clusters), return_inverse=True)[1]
    sums = np.bincount(cluster, weights=array)
    sums = sums[sums != 0]
    rng = np.random.default_rng(seed)
    extreme, slack = 0, 1e-9 * float(np.abs(sums).sum())  # equal sums may differ by rounding
    for start in range(0, flips, 1000):
        coins = rng.integers(0, 2, (min(1000, flips - start), len(sums)), dtype=np.int8)
        totals = (2 * coins - 1) @ sums
        extreme += int((np.abs(totals) >= abs(sums.sum()) - slack).sum())
    return (1 + extreme) / (1 + flips)


def holm(ps: Sequence[float]) -> list[float]:
    """Each p adjusted for that many tests (Holm 1979): the i-th smallest of m times ``m - i + 1``,
    at least as large as the one before and at most 1."""
    adjusted, largest = [0.0] * len(ps), 0.0
    for rank, place in enumerate(sorted(range(len(ps)), key=lambda i: ps[i])):
        largest = max(largest, min(1.0, (len(ps) - rank) * ps[place]))
        adjusted[place] = largest
    return adjusted


def cohen_kappa(tables: Float[np.ndarray, "*R k k"]) -> Float[np.ndarray, "*R"]:
    """Agreement of two raters beyond chance, ``(p_o - p_e) / (1 - p_e)`` (Cohen 1960); at most 1.

    ``tables``: how often the first says ``i`` and the second ``j``; none may be empty. 1 when both
    always say the same one thing.
    """
    shares = tables / tables.sum(axis=(-2, -1), keepdims=True)
    observed = np.trace(shares, axis1=-2, axis2=-1)
    chance = (shares.sum(axis=-1) * shares.sum(axis=-2)).sum(axis=-1)
    alike = np.isclose(chance, 1.0)
    return np.where(alike, 1.0, (observed - chance) / np.where(alike, 1.0, 1.0 - chance))
