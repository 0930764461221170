"""How boxes are written in texts (grammar and frame), and signs of a wrong grammar or frame."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from groundrl.answers.attempt import Attempt, read_attempt
from groundrl.boxes import Frame, matched_iou
from groundrl.errors import UserError
from groundrl.grammar import GRAMMARS, check_frame, get_grammar
from groundrl.grammar.base import Grammar
from groundrl.records import RolloutGroup

STRAY_SHARE = 0.5
"""Of the texts with boxes: when more of them are written in another grammar, the file is."""
LOOKED_AT, MOST_BOXES = 200, 50
"""Answers with true boxes that are read in every frame, and their boxes."""
CLEARLY_MORE, WORTH_TELLING = 2.0, 0.1
"""Another frame is reported when its mean IoU is at least 0.1 and twice that of the chosen one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Notation:
    """How boxes are written in a text."""

    grammar: Grammar
    frame: Frame

    @classmethod
    def of(cls, grammar: str, frame: str) -> "Notation":
        """From the names in a config or a file. Raises UserError for unknown ones, and for a
        grammar that cannot write boxes in the frame."""
        if frame not in set(Frame):
            raise UserError(f"frame={frame} is unknown; choose from {', '.join(Frame)}")
        found = cls(grammar=get_grammar(grammar), frame=Frame(frame))
        check_frame(found.grammar, found.frame)
        return found


def check_notation(path: Path, texts: Sequence[tuple[str, Notation, str]]) -> None:
    """Raises UserError for texts (set, notation, text) of one set in several notations, or in
    another grammar than the one that is declared."""
    declared: dict[str, set[Notation]] = {}
    for name, notation, _ in texts:
        declared.setdefault(name, set()).add(notation)
    for name, notations in declared.items():
        if len(notations) > 1:
            mix = ", ".join(sorted(f"{n.grammar.name} in {n.frame}" for n in notations))
            raise UserError(
                f"{path}: the answers of {name} mix {mix}. Score each in a file of its own."
            )
    boxed = {
        name: sum(bool(grammar.parse(text, n.frame).groundings) for _, n, text in texts)
        for name, grammar in GRAMMARS.items()
        if all(n.frame in grammar.frames for _, n, _ in texts)
    }
    used = texts[0][1].grammar.name
    likely = max(boxed, key=lambda name: boxed[name])
    if boxed[likely] > 0 and boxed[used] < STRAY_SHARE * boxed[likely]:
        cure = f"type records.grammar={likely}"
        if path.suffix == ".jsonl":  # each line declares its own
            cure = f'write "grammar": "{likely}" into its lines'
        raise UserError(
            f"{path} is said to write boxes as {used}, which finds boxes in {boxed[used]} of "
            f"{len(texts)} texts, but {likely} finds them in {boxed[likely]}: {cure}"
        )


def other_frames(attempts: Sequence[Attempt], notation: Notation) -> dict[str, float]:
    """``iou_as_<frame>``: mean IoU if the boxes were read in that frame, where this is clearly more
    than in the chosen frame: a sign of a wrong ``frame``. Scores never use another frame."""
    boxed = [
        one
        for one in attempts
        if one.sample.groundings and 0 < len(one.predicted_boxes) <= MOST_BOXES
    ][:LOOKED_AT]
    if not boxed:
        return {}
    means = {
        frame: float(np.mean([_iou(one, notation.grammar, frame) for one in boxed]))
        for frame in sorted(notation.grammar.frames)
        if all(min(one.sizes.extent(frame)) > 0 for one in boxed)
    }
    limit = max(CLEARLY_MORE * means.get(notation.frame, 0.0), WORTH_TELLING)
    best = max(means, key=lambda frame: means[frame])
    return {f"iou_as_{best}": means[best]} if means[best] > limit else {}


def _iou(one: Attempt, grammar: Grammar, frame: Frame) -> float:
    group = RolloutGroup(sample=one.sample, sizes=one.sizes, completions=(one.completion,))
    true = [grounding.box for grounding in one.sample.groundings]
    return matched_iou(read_attempt(group, one.completion, grammar, frame).predicted_boxes, true)
