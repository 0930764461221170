"""Honest completions of a case: the right answer, well-formed, with boxes that are right or nearly
so. A reward has to pay each of them more than any cheat."""

from collections.abc import Iterator
from dataclasses import replace

from groundrl.boxes import Box
from groundrl.prompts import LETTERS
from groundrl.questions.sentences import weave
from groundrl.records import Grounding, Segments
from groundrl.rewards.audit.cases import Case

SHIFT = 0.05
"""Of its width: what is left of a shifted box is an IoU of (1 - s) / (1 + s) = 0.90."""


def write_honest(case: Case) -> Iterator[tuple[str, str]]:
    """Name and text of each."""
    sample = case.sample
    if case.is_caption:
        yield "exact caption", case.write()
        return
    yield "gold", case.write()
    yield "in other words", case.write(weave("Let me look. ", *case.reasoning))
    if sample.groundings:
        yield "boxes slightly off", case.write(_shift_boxes(case))
    elif any(isinstance(part, Grounding) for part in case.reasoning):
        named = weave(*(p if isinstance(p, str) else p.label for p in case.reasoning))
        yield "a no without a box", case.write(named)
    if sample.options and sample.answers:
        yield "answer as a sentence", case.write(answer=f"{case.answer.capitalize()}.")
        if len(sample.answers) > 1:
            turned = ", ".join(reversed(sample.answers))
            yield "answers in another order", case.write(answer=turned)
        if len(sample.options) <= len(LETTERS):
            chosen = zip(LETTERS, sample.options, strict=False)
            letters = ", ".join(letter for letter, option in chosen if option in sample.answers)
            yield "answer by letter", case.write(answer=letters)


def _shift_boxes(case: Case) -> Segments:
    return tuple(
        part if isinstance(part, str) else replace(part, box=_shift(part.box, case))
        for part in case.reasoning
    )


def _shift(box: Box, case: Case) -> Box:
    """By ``SHIFT``, towards the middle of the image, so that the box stays inside."""
    step = SHIFT * (box.x2 - box.x1)
    if box.center[0] > case.sample.image.width / 2:
        step = -step
    return replace(box, x1=box.x1 + step, x2=box.x2 + step)
