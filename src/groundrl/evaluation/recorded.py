"""Answers in files: our ``predictions.jsonl``, and JSON lists of published model outputs."""

import json
import re
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from groundrl.boxes import Frame, View
from groundrl.data.problems import Problems
from groundrl.errors import UserError
from groundrl.evaluation.answer_record import AnswerRecord, Asking, read_records
from groundrl.evaluation.benchmarks.base import Form
from groundrl.evaluation.benchmarks.choice import distinct
from groundrl.evaluation.benchmarks.files import UnseenImage
from groundrl.evaluation.benchmarks.statements import TRUE_WORDS, WORDS
from groundrl.evaluation.fields import Fields
from groundrl.evaluation.notation import Notation, check_notation
from groundrl.grammar.answers import LETTERS, normalise, read_answer
from groundrl.grammar.base import Grammar
from groundrl.records import Completion, Provenance, RolloutGroup, Sample
from groundrl.rewards.base import Attempt, read_attempt

TRUTH, ANSWER = "ground_truth_response", "generated_response"
_OPTION = re.compile(r"\(([A-Z])\) ")
_OPTIONS = "Options: "


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """One answer from a file."""

    set: str
    """Empty where the file does not say."""
    group: RolloutGroup
    """With one completion."""
    asking: Asking
    truth: str | None = None
    """Of a list: the text that holds what is right; its sample does not say it yet."""

    @classmethod
    def of(cls, record: AnswerRecord) -> "Recorded":
        """From a line of ours."""
        return cls(set=record.set, group=record.group(record.sample), asking=record.asking)

    @property
    def attempt(self) -> Attempt:
        """The answer, read."""
        notation = self.asking.notation
        return read_attempt(self.group, self.group.completions[0], notation.grammar, notation.frame)

    def about(self, sample: Sample) -> "Recorded":
        """As an answer to ``sample``; where its picture is not there, the file's size counts."""
        if not sample.image.width:
            own = self.group.sample.image
            unseen = UnseenImage(key=sample.image.key, width=own.width, height=own.height)
            group = replace(self.group, sample=replace(sample, image=unseen))
            return replace(self, group=group)
        size = {"width": sample.image.width, "height": sample.image.height}
        group = replace(self.group, sample=sample, view=replace(self.group.view, **size))
        return replace(self, group=group)


def read_predictions(path: Path, listed: Grammar) -> list[Recorded]:
    """Answers of a ``.jsonl`` of ours, or of a ``.json`` list with boxes as ``listed``, in pixels.

    Raises UserError that lists every broken record, every answer given twice, and texts in
    another grammar.
    """
    if not path.is_file():
        raise UserError(f"predictions={path}: no such file. Type predictions=<file>.")
    problems = Problems(str(path))
    if path.suffix == ".jsonl":
        found = [Recorded.of(one) for one in read_records(path, path.read_bytes(), problems)]
    else:
        found = _read_list(path, listed, problems)
    if not found and not problems.found:
        problems.add(path, "no answers")
    for key, count in Counter((one.set, one.group.sample.id) for one in found).items():
        if count > 1:
            problems.add(path, f"{count} answers to question {key[1]!r} of {key[0]!r}")
    problems.raise_if_any()
    texts = [(one.set, one.asking.notation, one.group.completions[0].text) for one in found]
    check_notation(path, texts)
    return found


def _read_list(path: Path, grammar: Grammar, problems: Problems) -> list[Recorded]:
    # Nothing tells how large the pictures are, so that no other frame could be converted.
    notation = Notation(grammar=grammar, frame=Frame.PIXEL)
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UserError(f"{path} is not valid JSON: {error}") from error
    if not isinstance(rows, list):
        raise UserError(f"{path}: expected a list of records with {TRUTH} and {ANSWER}")
    found = []
    for index, row in enumerate(rows):
        try:
            found.append(_from_row(Fields.of(row), index, notation))
        except ValueError as error:
            problems.add(f"{path}: record {index}", str(error))
    return found


def _from_row(row: Fields, index: int, notation: Notation) -> Recorded:
    """Questions of such files bear no name and no picture, so each counts as its own."""
    prompt = None if row.row.get("prompt") is None else row.text("prompt")
    question, options = _asked(prompt or "")
    sample = Sample(
        id=str(index),
        image=UnseenImage(key=str(index)),
        question=question,
        options=options,
        provenance=Provenance(dataset="recorded", split="recorded"),
    )
    completion = Completion(text=row.text(ANSWER), tokens=(), logprobs=(), truncated=False)
    view = View(width=0, height=0, model_width=0, model_height=0)
    return Recorded(
        set="",
        group=RolloutGroup(sample=sample, view=view, completions=(completion,)),
        asking=Asking(notation=notation, prompt=prompt),
        truth=row.text(TRUTH),
    )


def _asked(prompt: str) -> tuple[str, tuple[str, ...]]:
    """Question and options of ``Question: ...\\nOptions: (A) ... (B) ...``; else the text."""
    question, listed = prompt, ""
    if _OPTIONS in prompt:
        question, _, listed = prompt.rpartition(_OPTIONS)
    words: list[Any] = _OPTION.split(listed.strip().removesuffix("."))[2::2]
    return question.strip().removeprefix("Question: "), distinct([word.strip() for word in words])


EXPECTED = {
    Form.OPTIONS: "an option",
    Form.YES_NO: "yes or no",
    Form.TRUE_FALSE: "true or false",
    Form.BOX: "one box",
}
"""What the truth of a list must be for a form; a ``Form.TEXT`` has more to it than one text."""


def with_truth(one: Recorded, form: Form) -> Recorded | None:
    """The answer with the truth that its list tells; None where that is not as ``EXPECTED``."""
    assert one.truth is not None
    notation, sample = one.asking.notation, one.group.sample
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
        true = TRUE_WORDS.get(normalise(text))
        answers = () if true is None else (WORDS[true],)
    if not answers and not (form is Form.BOX and len(boxes) == 1):
        return None
    told = replace(sample, options=options, answers=answers, groundings=boxes, kind=kind)
    return replace(one, group=replace(one.group, sample=told))
