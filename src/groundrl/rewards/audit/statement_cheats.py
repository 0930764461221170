"""The right answer and boxes with words that the image does not bear out."""

import re
from collections.abc import Callable, Iterator
from dataclasses import replace

from groundrl.language.colors import COLOR_WORDS
from groundrl.records import Grounding, Segments
from groundrl.rewards.audit.cases import Case
from groundrl.rewards.audit.cheat import Cheat
from groundrl.rewards.audit.yardstick import COLORS, RELATIONS

OPPOSITE = {
    "left of": "right of",
    "right of": "left of",
    "in front of": "behind",
    "behind": "in front of",
}
"""Of relations that boxes decide."""
RELATION = re.compile("|".join(OPPOSITE))
WORD = re.compile(r"\w+")
OTHER_COLOR = {"green": "purple"}
"""What a colour word becomes; every other one becomes green."""


def statement_cheats(case: Case) -> Iterator[Cheat]:
    """Where the reasoning names colours of what it points at, or how two things stand."""
    colored = [one for one in _phrases(case) if _colors(one.label)]
    if colored and case.sample.groundings:
        for name, change in {"wrong colours": recolor, "colours left out": _uncolor}.items():
            reasoning = tuple(
                part if isinstance(part, str) else replace(part, label=change(part.label))
                for part in case.reasoning
            )
            yield Cheat(name=name, text=case.write(reasoning), worse_in=frozenset({COLORS}))
    if len(case.sample.groundings) == 2 and _states_one_relation(case):
        for name, text in {
            "wrong relation": case.write(_map_text(case, lambda found: OPPOSITE[found[0]])),
            "relation left out": case.write(_map_text(case, lambda _: "with")),
            "boxes moved to fit": case.write(_swap_boxes(case)),
        }.items():
            yield Cheat(name=name, text=text, worse_in=frozenset({RELATIONS}))


def _phrases(case: Case) -> list[Grounding]:
    return [part for part in case.reasoning if isinstance(part, Grounding)]


def _states_one_relation(case: Case) -> bool:
    """Once, and not denied, between two phrases."""
    words = " ".join(part for part in case.reasoning if isinstance(part, str))
    return (
        len(_phrases(case)) == 2
        and len(RELATION.findall(words)) == 1
        and not re.search(r"\bnot\b", words)
    )


def _map_text(case: Case, change: Callable[[re.Match[str]], str]) -> Segments:
    return tuple(
        RELATION.sub(change, part) if isinstance(part, str) else part for part in case.reasoning
    )


def _swap_boxes(case: Case) -> Segments:
    """The opposite relation between the two boxes, each under the name of the other."""
    first, second = _phrases(case)
    boxes = {first: second.box, second: first.box}
    return tuple(
        part if isinstance(part, str) else replace(part, box=boxes[part])
        for part in _map_text(case, lambda found: OPPOSITE[found[0]])
    )


def _colors(label: str) -> list[str]:
    return [word for word in label.split()[:-1] if word in COLOR_WORDS]


def recolor(text: str) -> str:
    """The text with another colour in the place of each."""
    return WORD.sub(
        lambda one: OTHER_COLOR.get(one[0], "green") if one[0] in COLOR_WORDS else one[0], text
    )


def _uncolor(label: str) -> str:
    return " ".join(word for word in label.split() if word not in COLOR_WORDS) or label
