"""Attempts for the tests of single terms: one sample, one text, boxes in pixels."""

from pathlib import Path

from groundrl.answers.attempt import Attempt, read_attempt
from groundrl.boxes import Box, Frame, ImageSizes
from groundrl.grammar import GRAMMARS
from groundrl.records import Completion, Grounding, ImageFile, Provenance, RolloutGroup, Sample

SIZES = ImageSizes(width=200, height=100, model_width=100, model_height=50)


def box(x1: float | int, y1: float | int, x2: float | int, y2: float | int) -> Box:
    return Box(x1=float(x1), y1=float(y1), x2=float(x2), y2=float(y2), frame=Frame.PIXEL)


def sample(
    *true: Box,
    answers: tuple[str, ...] = ("red",),
    options: tuple[str, ...] = ("red", "blue"),
    kind: str = "color",
    labels: str = "cup vase dog",
) -> Sample:
    return Sample(
        id="s-1",
        image=ImageFile(path=Path("a.png"), width=SIZES.width, height=SIZES.height),
        question="Which colour?",
        options=options,
        answers=answers,
        groundings=tuple(
            Grounding(label=label, box=one)
            for label, one in zip(labels.split(), true, strict=False)
        ),
        kind=kind,
        provenance=Provenance(dataset="test", split="train"),
    )


def completion(text: str, tokens: int = 3) -> Completion:
    return Completion(text=text, tokens=(1,) * tokens, logprobs=(-0.5,) * tokens, truncated=False)


def attempt(of: Sample, text: str, frame: Frame = Frame.PIXEL, tokens: int = 3) -> Attempt:
    """``text`` in the inline_box grammar."""
    answer = completion(text, tokens)
    group = RolloutGroup(sample=of, sizes=SIZES, completions=(answer,))
    return read_attempt(group, answer, GRAMMARS["inline_box"], frame)
