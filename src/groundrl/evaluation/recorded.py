"""Answers in files: our ``predictions.jsonl``, and files of other tools."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from groundrl.answers.attempt import Attempt, read_attempt
from groundrl.answers.notation import Notation, check_notation
from groundrl.answers.options import distinct_options, normalise, read_answer
from groundrl.answers.record import AnswerOrigin, AnswerRecord, read_records
from groundrl.answers.yes_no import YES_NO_WORDS
from groundrl.boxes import Frame, ImageSizes
from groundrl.data.problems import Problems
from groundrl.errors import UserError
from groundrl.evaluation.answer_files import read_answer_file
from groundrl.evaluation.answer_format import AnswerFormat, Clue, GivenAnswer
from groundrl.grammar import check_frame
from groundrl.grammar.base import Grammar
from groundrl.prompts import LETTERS
from groundrl.questions.yes_no import TRUE_FALSE
from groundrl.records import Completion, Form, NamedImage, Provenance, RolloutGroup, Sample

_OPTION = re.compile(r"\(([A-Z])\) ")
_OPTIONS = "Options: "
_END_OF_TURN = (
    *("<|im_end|>", "<|endoftext|>", "<|end|>", "<|eot_id|>", "<|end_of_text|>", "<|user|>"),
    *("</s>", "<eos>", "<end_of_turn>", "<end_of_utterance>", "<｜end▁of▁sentence｜>"),
)
"""Control tokens behind an answer; our own completions are decoded without them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedAnswer:
    """One answer from a file."""

    set: str
    """Name of the benchmark; empty: the file does not name it."""
    group: RolloutGroup
    """With one completion."""
    origin: AnswerOrigin
    truth: str | None = None
    """Of a list: the text with the right answer, which ``group.sample`` lacks."""
    clue: Clue = field(default_factory=Clue)
    """Of a list, whose ``group.sample`` is numbered by the order of the file."""

    @classmethod
    def of(cls, record: AnswerRecord) -> "RecordedAnswer":
        """From a line of ``predictions.jsonl``."""
        return cls(set=record.set, group=record.group(record.sample), origin=record.origin)

    @property
    def attempt(self) -> Attempt:
        """The answer, read."""
        notation = self.origin.notation
        return read_attempt(self.group, self.group.completions[0], notation.grammar, notation.frame)

    def about(self, sample: Sample) -> "RecordedAnswer":
        """As an answer to ``sample``; where its image is not there, the file's size counts."""
        if not sample.image.width:
            own = self.group.sample.image
            unseen = NamedImage(key=sample.image.key, width=own.width, height=own.height)
            group = replace(self.group, sample=replace(sample, image=unseen))
            return replace(self, group=group)
        size = {"width": sample.image.width, "height": sample.image.height}
        group = replace(self.group, sample=sample, sizes=replace(self.group.sizes, **size))
        return replace(self, group=group)


def read_predictions(
    path: Path, listed: Grammar, formats: Sequence[AnswerFormat] = ()
) -> list[RecordedAnswer]:
    """Answers of a ``.jsonl`` of ours, or of a file of others (``answer_files``, and in
    ``formats``) with boxes as ``listed``, in pixels.

    Raises UserError that lists every broken record, every answer given twice, and texts in
    another grammar.
    """
    if not path.exists():
        raise UserError(f"predictions={path}: no such file. Type predictions=<file>.")
    problems = Problems(str(path))
    given = read_answer_file(path, problems, formats)
    if given is None:
        records = read_records(path, path.read_bytes(), problems)
        found = [RecordedAnswer.of(one) for _, one in records]
    else:
        # The sizes of the images are not known, so no other frame could be converted.
        check_frame(listed, Frame.PIXEL)
        notation = Notation(grammar=listed, frame=Frame.PIXEL)
        found = [_from_given(one, index, notation) for index, one in enumerate(given)]
    if not found and not problems.found:
        problems.add(path, "no answers")
    for key, count in Counter((one.set, one.group.sample.id) for one in found).items():
        if count > 1:
            problems.add(path, f"{count} answers to question {key[1]!r} of {key[0]!r}")
    problems.raise_if_any()
    texts = [(one.set, one.origin.notation, one.group.completions[0].text) for one in found]
    check_notation(path, texts)
    return found


def _from_given(given: GivenAnswer, index: int, notation: Notation) -> RecordedAnswer:
    """The answer to a question that is known by its place in the file."""
    question, options = _split_prompt(given.prompt or "")
    sample = Sample(
        id=str(index),
        image=NamedImage(key=str(index)),
        question=question,
        options=distinct_options(given.options) or options,
        provenance=Provenance(dataset="recorded", split="recorded"),
    )
    text = without_end_of_turn(given.text)
    completion = Completion(text=text, tokens=(), logprobs=(), truncated=False)
    sizes = ImageSizes(width=0, height=0, model_width=0, model_height=0)
    return RecordedAnswer(
        set="",
        group=RolloutGroup(sample=sample, sizes=sizes, completions=(completion,)),
        origin=AnswerOrigin(notation=notation, prompt=given.prompt),
        truth=given.truth,
        clue=given.clue,
    )


def without_end_of_turn(text: str) -> str:
    """The text without control tokens at its end."""
    end = len(text)
    while True:
        stripped = len(text[:end].rstrip())
        found = next((one for one in _END_OF_TURN if text.endswith(one, 0, stripped)), None)
        if found is None:
            return text[:end]
        end = stripped - len(found)


def _split_prompt(prompt: str) -> tuple[str, tuple[str, ...]]:
    """Question and options of ``Question: ...\\nOptions: (A) ... (B) ...``; else the text."""
    question, listed = prompt, ""
    if _OPTIONS in prompt:
        question, _, listed = prompt.rpartition(_OPTIONS)
    words: list[Any] = _OPTION.split(listed.strip().removesuffix("."))[2::2]
    return question.strip().removeprefix("Question: "), distinct_options(
        [word.strip() for word in words]
    )


EXPECTED = {
    Form.OPTIONS: "an option",
    Form.YES_NO: "yes or no",
    Form.TRUE_FALSE: "true or false",
    Form.BOX: "one box",
}
"""What the truth of a list must be for a form; a ``Form.TEXT`` has more to it than one text."""


def with_truth(one: RecordedAnswer, form: Form) -> RecordedAnswer | None:
    """The answer with the truth of its list; None where that is not as ``EXPECTED``."""
    assert one.truth is not None
    notation, sample = one.origin.notation, one.group.sample
    parsed = notation.grammar.parse(one.truth, notation.frame)
    text = one.truth if parsed.answer is None else parsed.answer
    boxes = tuple(dict.fromkeys(parsed.groundings))
    options = sample.options
    answers: tuple[str, ...] = ()
    kind = "question"
    if form is Form.OPTIONS:
        options = options or tuple(LETTERS)
        right = read_answer(text, options) or frozenset()
        answers = tuple(option for option in options if option in right)
        kind = "several" if len(right) > 1 else "single"
    elif form is Form.YES_NO:
        answers = tuple(word for word in ("yes", "no") if normalise(text) == word)
        kind = "exists"
    elif form is Form.TRUE_FALSE:
        true = YES_NO_WORDS.get(normalise(text))
        answers = () if true is None else (TRUE_FALSE[true],)
    if not answers and not (form is Form.BOX and len(boxes) == 1):
        return None
    known = replace(sample, options=options, answers=answers, groundings=boxes, kind=kind)
    return replace(one, group=replace(one.group, sample=known))
