"""Which of several completions is least wrong, by the negative signals of reward terms.

As in ViGoR (arXiv 2402.06118, section 3.3).
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int

from groundrl.language.splitting import split_sentences
from groundrl.records import Score, SpanScore


def negative_signal(score: Score, term: str) -> float:
    """``sum(max(0, -value))`` over the spans that a term rates, or of its value where it rates no
    spans; NaN where it does not apply."""
    value = score.parts[term]
    if value is None:
        return float("nan")
    values = [span.value for span in score.spans.get(term, ())] or [value]
    return float(sum(max(0.0, -one) for one in values))


def negative_signals(
    groups: Sequence[Sequence[Score]], terms: Sequence[str]
) -> Float[np.ndarray, "K P N"]:
    """The signals of N completions for each of P prompts."""
    return np.array(
        [[[negative_signal(one, term) for one in group] for group in groups] for term in terms]
    )


def signal_variances(signals: Float[np.ndarray, "K P N"]) -> Float[np.ndarray, "K"]:
    """Of each term over all completions that it applies to; 1 where nothing varies, and such a
    signal chooses nothing."""
    variances = [np.var(known) if (known := one[~np.isnan(one)]).size else 0.0 for one in signals]
    return np.array([variance if variance > 0 else 1.0 for variance in variances])


def total_penalties(
    signals: Float[np.ndarray, "K P N"],
    variances: Float[np.ndarray, "K"],
    weights: Float[np.ndarray, "K"],
) -> Float[np.ndarray, "P N"]:
    """``sum_k weight_k * signal_k / variance_k``; infinite where a term does not apply: a caption
    that says nothing is not wrong, but no caption either."""
    scaled = signals * (weights / variances)[:, None, None]
    return np.where(np.isnan(scaled).any(axis=0), np.inf, scaled.sum(axis=0))


def best_of(
    penalties: Float[np.ndarray, "P N"], rewards: Float[np.ndarray, "P N"]
) -> Int[np.ndarray, "P"]:
    """The completion with the least penalty; of several the one with the greatest reward, then the
    first. -1 where none has a finite penalty."""
    order = np.lexsort((-rewards, penalties), axis=1)[:, 0]
    finite = np.isfinite(penalties).any(axis=1)
    return np.where(finite, order, -1)


def drop_sentences(text: str, start: int, spans: Sequence[SpanScore], least: float) -> str:
    """The text without its sentences that overlap a span below ``least``; ``start``: the place of
    the text in the one that ``spans`` refer to."""
    low = [(span.start - start, span.stop - start) for span in spans if span.value < least]
    kept = [
        text[a:b]
        for a, b in split_sentences(text)
        if not any(a < stop and first < b for first, stop in low)
    ]
    return " ".join(kept)
