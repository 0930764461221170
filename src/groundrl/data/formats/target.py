"""What a row teaches, from the text of its answer: reasoning, answer, boxes."""

import re
from typing import Final

from groundrl.boxes import Frame
from groundrl.data.formats.base import RowContent, UnusableRowError
from groundrl.data.formats.option_text import chosen_options, split_options
from groundrl.data.formats.written_boxes import groundings_in, holds_mark, read_segments, words_in
from groundrl.records import Segments

IMAGE_MARK: Final = "<image>"
_MARK: Final = re.compile(rf"[ \t]*+{IMAGE_MARK}\s*+")
_TAGS: Final = ("<think>", "</think>", "<answer>", "</answer>")
BOX_ASKED: Final = "the question or an earlier turn holds a box"
_FOUR: Final = re.compile(r"\[(?:\s*+[0-9.]++\s*+,){3}\s*+[0-9.]++\s*+\]")
_FRACTIONS: Final = re.compile(r"\[(?:\s*+[01]?\.[0-9]++\s*+,){3}\s*+[01]?\.[0-9]++\s*+\]")
_THINK: Final = re.compile(r"<think>(.*?)</think>", re.DOTALL)
_ANSWER: Final = re.compile(r"<answer>(.*?)</answer>", re.DOTALL)


def split_tags(text: str) -> tuple[str | None, str]:
    """Reasoning (None without ``<think>``) and answer; without ``<answer>`` it is the rest.

    Raises ValueError for tags that are repeated, or not closed.
    """
    opened = [text.count(tag) for tag in _TAGS]
    if max(opened) > 1 or opened[0] != opened[1] or opened[2] != opened[3]:
        raise ValueError(f"think and answer tags must be closed, each once: {text!r:.80}")
    think, answer = _THINK.search(text), _ANSWER.search(text)
    if (opened[0] and not think) or (opened[2] and not answer):
        raise ValueError(f"think and answer tags close before they open: {text!r:.80}")
    rest = _THINK.sub("", text) if answer is None else answer[1]
    return (think[1].strip() if think else None), rest.strip()


def without_marks(text: str, images: int) -> str:
    """The text without ``<image>``. Raises ValueError if it marks another number of images."""
    marks = text.count(IMAGE_MARK)
    if marks not in (0, images):
        raise ValueError(f"{marks} <image> marks for {images} images")
    return "\n".join(line.strip() for line in _MARK.sub(" ", text).strip().splitlines())


def make_content(
    *,
    question: str,
    answer: str,
    images: tuple[object, ...],
    frame: Frame | None,
    options: tuple[str, ...] = (),
    reasoning: str | None = None,
    id: str | None = None,
    left_out: tuple[str, ...] = (),
) -> RowContent:
    """The content of a row that asks and answers in text; options may stand in the question.

    Raises ValueError.
    """
    # Where no frame is declared, four whole numbers are a list: "What is the mean of [1, 2, 3, 4]?"
    if (_FRACTIONS if frame is None else _FOUR).search(question):
        raise UnusableRowError(BOX_ASKED)
    thought, said = split_tags(answer)
    return content_of_segments(
        question=without_marks(question, len(images)),
        told=read_segments(said, frame),
        reasoning=_reasoning(reasoning if thought is None else thought, frame),
        images=images,
        options=options,
        id=id,
        left_out=left_out,
    )


def _reasoning(text: str | None, frame: Frame | None) -> Segments | None:
    return None if text is None else read_segments(text, frame)


def content_of_segments(
    *,
    question: str,
    told: Segments,
    reasoning: Segments | None,
    images: tuple[object, ...],
    options: tuple[str, ...] = (),
    id: str | None = None,
    left_out: tuple[str, ...] = (),
) -> RowContent:
    """The content of a row whose boxes were read. Raises ValueError without a question or an
    answer, and for an answer that is none of the options."""
    if not options:
        asked = split_options(question)
        question, options = asked.question, asked.options
    if not question:
        raise ValueError("the question is empty")
    if holds_mark(question):
        raise UnusableRowError(BOX_ASKED)
    words, boxes = words_in(told), groundings_in((*(reasoning or ()), *told))
    if not words and not groundings_in(told):
        raise ValueError("the answer is empty")
    if options and not words:
        raise ValueError(f"the answer names none of the options {list(options)!r:.200}")
    answers = chosen_options(words, options) if options else (words,) if words else ()
    return RowContent(
        question=question,
        options=options,
        answers=answers,
        groundings=boxes,
        rationale=reasoning,
        told=told,
        images=images,
        id=id,
        left_out=left_out,
    )
