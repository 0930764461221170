"""Converts samples to chat messages, and to the target answers of the SFT warm-up."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal

from groundrl.boxes import Frame, ImageSizes, convert
from groundrl.errors import UserError
from groundrl.grammar.base import round_segments
from groundrl.json_rows import surrogate_problem
from groundrl.records import CAPTION, Grounding, Response, Sample, Segments

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
"""Letters of the options, in their order."""


@dataclass(frozen=True)
class PromptTemplate:
    """The layout of a prompt: images, question, options, instruction."""

    instruction: str = ""
    """Added after the question and its options, on a line of its own."""
    answer_style: Literal["words", "letters"] = "words"
    """Options are named by their words, or by the letters A, B, …"""

    def messages(self, sample: Sample) -> list[dict[str, Any]]:
        """One user turn of images and text, as chat templates of ``transformers`` take it."""
        images = [{"type": "image"} for _ in sample.images]
        content = [*images, {"type": "text", "text": self.text(sample)}]
        return [{"role": "user", "content": content}]

    def text(self, sample: Sample) -> str:
        """Question, options and instruction, each on a line of its own."""
        lines = [sample.question, self._options(sample), self.instruction]
        return "\n".join(line for line in lines if line)

    def response(self, sample: Sample, sizes: ImageSizes, frame: Frame) -> Response:
        """The SFT target: the sample's rationale, boxes converted to ``frame`` and rounded. A
        caption is an answer without reasoning.

        Raises UserError when the sample has no rationale or nothing to answer.
        """
        if sample.rationale is None:
            raise UserError(
                f"sample {sample.id!r} of {sample.provenance.dataset} has no rationale, and the "
                "SFT warm-up needs one for every sample: choose data with rationales, or skip the "
                "warm-up with pipeline=[grpo]"
            )
        rationale = to_frame(sample.rationale, sizes, frame)
        if sample.kind == CAPTION:
            return Response(reasoning=(), answer=rationale)
        return Response(reasoning=rationale, answer=self._answer(sample))

    def _options(self, sample: Sample) -> str:
        if not sample.options:
            return ""
        if self.answer_style == "words":
            return f"Options: {', '.join(sample.options)}."
        marked = zip(_letters(sample), sample.options, strict=True)
        return f"Options: {' '.join(f'({letter}) {option}' for letter, option in marked)}"

    def _answer(self, sample: Sample) -> str:
        if not sample.answers:
            labels = [grounding.label for grounding in sample.groundings]
            if not labels:
                raise UserError(
                    f"sample {sample.id!r} of {sample.provenance.dataset} has neither answers nor "
                    "groundings: give it one of them"
                )
            return ", ".join(labels)
        if not sample.options:
            # The other answers of an open question are accepted synonyms.
            return sample.answers[0]
        unknown = [answer for answer in sample.answers if answer not in sample.options]
        if unknown:
            raise UserError(
                f"sample {sample.id!r} of {sample.provenance.dataset}: the answers {unknown} are "
                f"not among its options {list(sample.options)}: write them as the options are"
            )
        names = sample.options if self.answer_style == "words" else _letters(sample)
        chosen = zip(names, sample.options, strict=True)
        return ", ".join(name for name, option in chosen if option in sample.answers)


def map_texts(sample: Sample, change: Callable[[str], str]) -> Sample:
    """The sample with ``change`` made to each of its texts: question, options, answers, labels,
    rationale. Raises UserError for a text that cannot be encoded."""

    def changed(text: str, name: str) -> str:
        problem = surrogate_problem(text)
        if problem:
            raise UserError(
                f"sample {sample.id!r} of {sample.provenance.dataset}: its {name} {problem}"
            )
        return change(text)

    def grounding(one: Grounding) -> Grounding:
        return replace(one, label=changed(one.label, "label"))

    return replace(
        sample,
        question=changed(sample.question, "question"),
        options=tuple(changed(option, "option") for option in sample.options),
        answers=tuple(changed(answer, "answer") for answer in sample.answers),
        groundings=tuple(map(grounding, sample.groundings)),
        rationale=sample.rationale
        and tuple(
            changed(part, "rationale") if isinstance(part, str) else grounding(part)
            for part in sample.rationale
        ),
    )


def to_frame(segments: Segments, sizes: ImageSizes, frame: Frame) -> Segments:
    """The segments with every box converted to ``frame`` and rounded as in ``round_box``."""
    return round_segments(
        tuple(
            replace(part, box=convert(part.box, frame, sizes))
            if isinstance(part, Grounding)
            else part
            for part in segments
        )
    )


def _letters(sample: Sample) -> str:
    if len(sample.options) > len(LETTERS):
        raise UserError(
            f"sample {sample.id!r} of {sample.provenance.dataset} has {len(sample.options)} "
            f"options, but only {len(LETTERS)} have letters: use answer_style=words"
        )
    return LETTERS[: len(sample.options)]
