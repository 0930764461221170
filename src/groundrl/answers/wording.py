"""The answer itself, out of the markup and the words in which models put it."""

import re
import unicodedata
from typing import Final

_PUNCTUATION: Final = str.maketrans("。、【】〈〉", ".,()()")
"""What NFKC leaves of full-width and Chinese punctuation."""
_MARKUP: Final = re.compile(
    r"\*+|`+(?:\w+\n)?|_{2,}|\$+|^[^\S\n]*+[#>]+|[\"\u201c\u201d\u300c-\u300f]", re.MULTILINE
)
_COMMAND: Final = re.compile(r"\\(?:text|textbf|mathrm|mathbf|mathit)\s*+\{([^{}]*)\}")
_BOXED: Final = re.compile(r"\\f?boxed\s*+\{([^{}]*)\}|<\|begin_of_box\|>([^<]*+)<\|end_of_box\|>")
_CUE: Final = re.compile(
    r"\b(?:answers?|option|choice|solution)\s*+"
    r"(?:(?:is|are|would\s+be|should\s+be)\b\s*+:?|[:=])\s*+"
    r"|(?:答案|选项|选择|应选|故选|选)\s*+(?:应该是|应为|是|为)?\s*+:?\s*+"
    r"(?=[^\u4e00-\u9fff\s]|[是否对错正不])",
    re.IGNORECASE,
)

_HEDGE: Final = re.compile(
    r"\b(?:or|maybe|perhaps|possibly|either|unless|alternatively|actually|wait|unsure|not\s+sure)\b",
    re.IGNORECASE,
)


def strip_markup(text: str) -> str:
    """Without Markdown, quotes and text commands of LaTeX; full-width signs become plain ones."""
    plain = unicodedata.normalize("NFKC", text).translate(_PUNCTUATION)
    return _MARKUP.sub("", _COMMAND.sub(r"\1", plain)).strip()


def find_conclusions(text: str) -> list[str]:
    """What stands in ``\\boxed{}`` or its like; else what follows each "the answer is", "Answer:"
    or "答案", up to the next; else nothing. Without markup, each once."""
    boxed = [one for pair in _BOXED.findall(_COMMAND.sub(r"\1", text)) for one in pair if one]
    if boxed:
        return list(dict.fromkeys(strip_markup(one) for one in boxed))
    plain = strip_markup(text)
    cues = list(_CUE.finditer(plain))
    edges = [*(cue.start() for cue in cues), len(plain)]
    parts = (plain[cue.end() : end] for cue, end in zip(cues, edges[1:], strict=True))
    return list(dict.fromkeys(part.strip() for part in parts))


def hedges(text: str) -> bool:
    """Whether the text leaves its answer open, or takes it back."""
    return bool(_HEDGE.search(text))


def conclude(text: str) -> str:
    """The text of an open answer: its one conclusion up to the end of the line, or all of it."""
    found = [one.partition("\n")[0] for one in find_conclusions(text)]
    return found[0] if len(set(found)) == 1 else strip_markup(text)
