"""Do the pixels bear out the colour words of the phrases?"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from typing import ClassVar

from PIL import Image

from groundrl.answers.attempt import Attempt
from groundrl.answers.pointing import true_object
from groundrl.colors import VISIBLE, visible_colors
from groundrl.language.colors import COLOR_WORDS
from groundrl.language.words import fold_case
from groundrl.records import Grounding, ImageSource

MOST_CLAIMS = 32
"""Claims of one completion that are looked at, the first ones: each costs up to 10 ms."""


@dataclass(frozen=True, slots=True)
class Attribute:
    """``colour claims that hold / colour claims``, in [0, 1]; None where none was made.

    A claim is a colour word before the last word of a phrase with a box, "red cup", each pair of
    box and colour once. It holds where the pixels in the middle of the box have that colour (or may
    be called so) and, where true boxes are known, the box is that of such an object
    (``true_object``). Colours that pixels do not tell (brown) and colours outside of phrases ("the
    cup is red") are not judged. Source: ours; the question is one that ViGoR (arXiv 2402.06118)
    leaves open.
    Games it: one sure colour and no other; no colour at all, which never pays more than a true one
    but may pay more than a false one; where true boxes are unknown, a box on anything of that
    colour.
    """

    needs: ClassVar[frozenset[str]] = frozenset()
    measures: ClassVar[frozenset[str]] = frozenset({"colors"})
    weight: float = 1.0

    def __call__(self, attempt: Attempt) -> float | None:
        """See the class. Loads the image."""
        claims = list(islice(color_claims(attempt.parsed.groundings), MOST_CLAIMS))
        if not claims:
            return None
        image, true = _load(attempt.sample.image), attempt.sample.groundings
        held = sum(
            color in visible_colors(image, phrase.box)
            and (not true or true_object(phrase, true) is not None)
            for phrase, color in claims
        )
        return held / len(claims)


def color_claims(phrases: Iterable[Grounding]) -> Iterable[tuple[Grounding, str]]:
    """Each phrase with each colour that it claims for what is in its box. "orange" alone is a
    fruit."""
    seen = set[tuple[Grounding, str]]()
    for phrase in phrases:
        for word in fold_case(phrase.label).split()[:-1]:
            color = COLOR_WORDS.get(word.strip(","))
            if color in VISIBLE and (phrase, color) not in seen:
                seen.add((phrase, color))
                yield phrase, color


@lru_cache(maxsize=8)
def _load(image: ImageSource) -> Image.Image:
    """The pixels; the completions of a group share them."""
    return image.load()
