"""A completion with each token on a colour: an advantage, a log-probability, its change."""

from collections.abc import Callable, Sequence
from itertools import pairwise

from markupsafe import Markup, escape

from groundrl.report.pictures.overlay import PREDICTED, TRUE

STRONGEST = 0.55
"""Opacity of the largest value; text stays readable on it in light and dark."""

Decode = Callable[[Sequence[int]], str]


def split_tokens(tokens: Sequence[int], decode: Decode) -> list[str]:
    """What each token adds to the text; empty for one that no text shows, such as the end token,
    and for all but the last token of a character that several tokens write.

    Takes quadratic time: each token is read behind those before it.
    """
    texts = [decode(tokens[:count]).rstrip("\ufffd") for count in range(len(tokens) + 1)]
    return [after[len(before) :] for before, after in pairwise(texts)]


def color_tokens(pieces: Sequence[str], values: Sequence[float], limit: float = 0.0) -> Markup:
    """The pieces as HTML: green above 0, magenta below, the stronger the larger; the value shows
    under the pointer.

    ``limit``: the size of the strongest colour, so that several texts share a scale; 0: the largest
    value. ValueError unless there is one value for each piece.
    """
    limit = limit or max(map(abs, values), default=0.0) or 1.0
    spans = [
        f'<span title="{value:+.3g}" style="background:{_shade(value / limit)}">'
        f"{escape(piece)}</span>"
        for piece, value in zip(pieces, values, strict=True)
    ]
    return Markup(f'<div style="white-space:pre-wrap;font-family:monospace">{"".join(spans)}</div>')


def _shade(share: float) -> str:
    """Colour of a share of the limit, in [-1, 1]; beyond it the strongest."""
    color = TRUE if share > 0 else PREDICTED
    alpha = round(255 * STRONGEST * min(abs(share), 1.0))
    return f"{color}{alpha:02x}"
