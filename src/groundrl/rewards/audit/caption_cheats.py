"""Captions that say little, the same again and again, or what is not there."""

from collections.abc import Iterator

from groundrl.language.reading import split_label
from groundrl.language.words import with_article
from groundrl.records import Sample
from groundrl.rewards.audit.cases import Case
from groundrl.rewards.audit.cheat import Cheat
from groundrl.rewards.audit.statement_cheats import recolor
from groundrl.rewards.audit.yardstick import OBJECTS, SENTENCES

TIMES = 8
"""A sentence that is repeated."""


def caption_cheats(case: Case) -> Iterator[Cheat]:
    """Where a caption is asked for; what is there is what the sample points at."""
    caption, there = case.answer, find_nouns(case.sample)
    texts = {"an empty caption": "", "a sentence about nothing": "This is what can be seen here."}
    if there:
        sure = f"There is {with_article(there[0])}."
        texts |= {
            "one object named": sure,
            "one object again and again": " ".join([sure] * TIMES),
            "its objects denied": " ".join(f"There is no {noun}." for noun in there),
        }
        elsewhere = (noun for other in case.others for noun in find_nouns(other))
        absent = next((noun for noun in elsewhere if noun not in there), "")
        wrong = f"There is {with_article(absent)}."
        if absent:
            texts |= {
                "an absent object named": wrong,
                "an absent object as well": f"{caption} {wrong}",
            }
    for name, text in texts.items():
        yield Cheat(
            name=name, text=case.write(answer=text), worse_in=frozenset({OBJECTS, SENTENCES})
        )
    if (other := recolor(caption)) != caption:
        yield Cheat(
            name="wrong colours in a caption",
            text=case.write(answer=other),
            worse_in=frozenset({SENTENCES}),
        )


def find_nouns(sample: Sample) -> list[str]:
    """The classes of what a sample points at, each once."""
    return list(dict.fromkeys(split_label(one.label)[1] for one in sample.groundings))
