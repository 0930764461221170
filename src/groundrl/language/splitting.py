"""Where the sentences of a text are."""

import re
from typing import Final

_MARKUP: Final = re.compile(r"<[^<>]*>|\[[^\[\]]*\]")
_END: Final = re.compile(
    # From the first stop of a run only: each later one would look at the rest of it again.
    r"(?:(?<![.!?])[.!?]++[\"')\]]*+|[。！？]+)(?=\s|$|[。！？])|[。！？]+|\n+"
)
_ABBREVIATION: Final = re.compile(
    r"(?:^|[\s(\x00])(?:mr|mrs|ms|dr|st|vs|e\.g|i\.e|a\.m|p\.m|u\.s)\.$",
    re.IGNORECASE,
)


def split_sentences(text: str) -> list[tuple[int, int]]:
    """Start and end of each sentence, without the blanks around it.

    A sentence ends with its stop or at the end of a line. Tags and what stands in square brackets
    belong to the sentence around them, and their stops end none. Takes linear time.
    """
    plain = _MARKUP.sub(lambda found: "\x00" * len(found[0]), text)
    spans: list[tuple[int, int]] = []
    start = 0
    for end in [*_END.finditer(plain), None]:
        stop = len(text) if end is None else end.end()
        if (
            end is not None
            and end[0] == "."
            and _ABBREVIATION.search(plain, max(start, stop - 8), stop)
        ):
            continue
        written = plain[start:stop].strip().strip("\x00 ")
        if any(character.isalnum() for character in written):
            head = len(plain[start:stop]) - len(plain[start:stop].lstrip())
            tail = len(plain[start:stop].rstrip())
            spans.append((start + head, start + tail))
        start = stop
    return spans
