"""A bank of completions for the audit: honest ones, and ways to earn a reward without the work."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from groundrl.boxes import Box, Frame
from groundrl.grammar.base import Grammar
from groundrl.records import Grounding, ImageFile, Provenance, Response, Sample, Segments

SIZE = 160
"""Width and height of the imaginary image, pixels."""

ANSWERS, BOXES, FORMAT = "answers", "groundings", "format"
"""Aspects in which a cheat is worse; the first two have the names of ``RewardTerm.needs``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BankEntry:
    """One completion of the bank."""

    name: str
    sample: Sample
    text: str
    """Boxes in the PIXEL frame."""
    worse_in: frozenset[str] = frozenset()
    """Any of ``ANSWERS``, ``BOXES``, ``FORMAT``; empty for an honest completion."""


def make_bank(grammar: Grammar) -> list[BankEntry]:
    """All completions, written in ``grammar``, honest ones first, about three questions.

    ``two`` asks about two objects, ``one`` about one, ``none`` about something absent.
    """
    makers = (_honest_entries, _box_cheats, _answer_cheats, _empty_cheats)
    return [entry for make in makers for sample in SAMPLES for entry in make(grammar, sample)]


def _grounding(label: str, x1: float, y1: float, x2: float, y2: float) -> Grounding:
    return Grounding(label=label, box=Box(x1=x1, y1=y1, x2=x2, y2=y2, frame=Frame.PIXEL))


CUP = _grounding("cup", 12.0, 40.0, 72.0, 100.0)
VASE = _grounding("vase", 84.0, 30.0, 144.0, 110.0)
WHOLE = _grounding("scene", 0.0, 0.0, float(SIZE), float(SIZE))
GRID = tuple(
    _grounding(
        f"cell {row} {column}", 20.0 * column, 20.0 * row, 20.0 * column + 20, 20.0 * row + 20
    )
    for row in range(8)
    for column in range(8)
)


def _sample(question: str, answers: str, options: str, seen: Segments, kind: str) -> Sample:
    groundings = tuple(part for part in seen if isinstance(part, Grounding))
    return Sample(
        id=("none", "one", "two")[len(groundings)],
        image=ImageFile(path=Path("imaginary.png"), width=SIZE, height=SIZE),
        question=question,
        options=tuple(options.split()),
        answers=tuple(answers.split()),
        groundings=groundings,
        rationale=seen,
        kind=kind,
        provenance=Provenance(dataset="audit", split="audit"),
    )


SAMPLES = (
    _sample(
        "Which colours have the cup and the vase?",
        "red blue",
        "red blue green",
        ("One, ", CUP, ", is red, the other, ", VASE, ", is blue."),
        "multi_color",
    ),
    _sample("Which colour is it?", "red", "red blue green", ("The ", CUP, " is red."), "color"),
    _sample(
        "Is there a dog?", "no", "yes no", ("Looking for a dog, I find nothing: no.",), "exists"
    ),
)


def _write(grammar: Grammar, sample: Sample, reasoning: Segments | None = None) -> str:
    seen = (sample.rationale or ()) if reasoning is None else reasoning
    return grammar.render(Response(reasoning=seen, answer=", ".join(sample.answers)))


def _honest_entries(grammar: Grammar, sample: Sample) -> Iterator[BankEntry]:
    gold = _write(grammar, sample)
    yield BankEntry(name="gold", sample=sample, text=gold)
    if len(sample.answers) > 1:
        turned = f"<answer>{', '.join(reversed(sample.answers))}<"
        text = re.sub("<answer>.*<", turned, gold)
        yield BankEntry(name="answers in another order", sample=sample, text=text)
    if sample.kind == "exists":
        candidate = ("Looking for a dog, I find the ", CUP, ": no.")
        yield BankEntry(name="candidate", sample=sample, text=_write(grammar, sample, candidate))
    if sample.groundings:
        off = tuple(
            part if isinstance(part, str) else _shift(part) for part in sample.rationale or ()
        )
        yield BankEntry(name="boxes slightly off", sample=sample, text=_write(grammar, sample, off))


def _shift(grounding: Grounding) -> Grounding:
    """Shifted by 5 % of its width, which leaves an IoU of 0.90."""
    step = 0.05 * (grounding.box.x2 - grounding.box.x1)
    box = replace(grounding.box, x1=grounding.box.x1 + step, x2=grounding.box.x2 + step)
    return replace(grounding, box=box)


def _box_cheats(grammar: Grammar, sample: Sample) -> Iterator[BankEntry]:
    """The right answer with wrong boxes."""
    true = sample.groundings
    pointing: dict[str, Segments] = {"fixed grid": GRID}
    if true:
        pointing["whole image"] = tuple(replace(WHOLE, label=thing.label) for thing in true)
        pointing["whole image besides"] = (*true, WHOLE)
        pointing["box spam"] = (*true, *GRID)
        pointing["every box twice"] = (*true, *true)
        pointing["off the image"] = tuple(_move_off_image(thing) for thing in true)
    if len(true) > 1:
        pointing["one easy box"] = true[-1:]
        pointing["one box under all names"] = tuple(replace(g, box=true[0].box) for g in true)
    for name, segments in pointing.items():
        text = _write(grammar, sample, segments)
        yield BankEntry(name=name, sample=sample, text=text, worse_in=frozenset({BOXES}))
    if not true:
        return
    gold = _write(grammar, sample)
    unlabelled = re.sub("|".join(thing.label for thing in true), "", gold)
    corners = r"(\d+)(, ?)(\d+)(, ?)(\d+)(, ?)(\d+)"
    for name, text in {
        "answer without looking": _write(grammar, sample, ("I know that.",)),
        "swapped corners": re.sub(corners, r"\5\2\7\4\1\6\3", gold),
        "NaN boxes": re.sub(corners, r"nan\2nan\4nan\6nan", gold),
        "endless boxes": re.sub(corners, r"0\g<2>0\g<4>1e400\g<6>1e400", gold),
        "boxes without labels": unlabelled,
    }.items():
        yield BankEntry(name=name, sample=sample, text=text, worse_in=frozenset({BOXES, FORMAT}))


def _move_off_image(grounding: Grounding) -> Grounding:
    box = grounding.box
    return replace(grounding, box=replace(box, x1=box.x1 + 9 * SIZE, x2=box.x2 + 9 * SIZE))


def _answer_cheats(grammar: Grammar, sample: Sample) -> Iterator[BankEntry]:
    """The right boxes with a wrong answer."""
    gold, right = _write(grammar, sample), ", ".join(sample.answers)
    options = ", ".join(sample.options)
    wrong = next(option for option in sample.options if option not in sample.answers)
    answers = {
        "wrong option": wrong,
        "all options": options,
        "all letters": ", ".join("ABC"[: len(sample.options)]),
        "hedged": f"{sample.answers[0]} or something else",
        "prompt as answer": f"{sample.question}\nOptions: {options}.",
    }
    if len(sample.options) > len(sample.answers) + 1:
        answers["right and wrong"] = f"{right}, {wrong}"
    if len(sample.answers) > 1:
        answers["part of the answer"] = sample.answers[0]
    for name, answer in answers.items():
        text = gold.replace(f"<answer>{right}<", f"<answer>{answer}<")
        yield BankEntry(name=name, sample=sample, text=text, worse_in=frozenset({ANSWERS}))
    for name, text in {
        "empty answer": gold.replace(f"<answer>{right}<", "<answer> <"),
        "wrong answer, then the right one": gold.replace(
            "<answer>", f"<answer>{wrong}</answer><answer>"
        ),
        "answer without its tag": gold.replace("<answer>", "").replace("</answer>", ""),
    }.items():
        yield BankEntry(name=name, sample=sample, text=text, worse_in=frozenset({ANSWERS, FORMAT}))


def _empty_cheats(grammar: Grammar, sample: Sample) -> Iterator[BankEntry]:
    """No answer and no box; where there is nothing to point at, a missing box is no cheat."""
    worse_in = {ANSWERS, FORMAT} | ({BOXES} if sample.groundings else set())
    for name, text in {
        "nothing": "",
        "tags only": "<think></think><answer></answer>",
        "copied prompt": f"{sample.question}\nOptions: {', '.join(sample.options)}.",
        "huge text": "I look and look. " * 10_000,
        "endless tags": "<think><obj>[" * 10_000,
    }.items():
        yield BankEntry(name=name, sample=sample, text=text, worse_in=frozenset(worse_in))
