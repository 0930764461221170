"""Answers in files: our ``predictions.jsonl``, and JSON lists of published model outputs."""

import json
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from groundrl.boxes import Frame, View
from groundrl.data.problems import Problems
from groundrl.errors import UserError
from groundrl.evaluation.benchmarks.choice import distinct
from groundrl.evaluation.benchmarks.files import json_lines, pixel_corners
from groundrl.evaluation.heldout import answered, describe
from groundrl.evaluation.notation import Notation, check_notation
from groundrl.grammar.answers import LETTERS, read_answer
from groundrl.grammar.base import Grammar
from groundrl.records import Completion, Grounding, Provenance, RolloutGroup, Sample
from groundrl.rewards.base import Attempt, read_attempt

TRUTH, ANSWER = "ground_truth_response", "generated_response"
_OPTION = re.compile(r"\(([A-Z])\) ")


@dataclass(frozen=True, slots=True, kw_only=True)
class UnseenImage:
    """A picture that only its name is known of, as answers in a file mention it."""

    key: str
    width: int = 0
    """0 when the file does not say."""
    height: int = 0

    def load(self) -> Any:
        """Raises UserError: there is nothing to load."""
        raise UserError(f"the picture {self.key} is not here")


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """One answer from a file."""

    set: str
    """Empty where the file does not say."""
    group: RolloutGroup
    """With one completion."""
    notation: Notation

    @property
    def attempt(self) -> Attempt:
        """The answer, read."""
        notation = self.notation
        return read_attempt(self.group, self.group.completions[0], notation.grammar, notation.frame)

    def about(self, sample: Sample) -> Attempt:
        """The answer, read as one to ``sample``."""
        size = {"width": sample.image.width, "height": sample.image.height}
        group = replace(self.group, sample=sample, view=replace(self.group.view, **size))
        return replace(self, group=group).attempt


def prediction(
    attempt: Attempt,
    set_name: str,
    scores: Mapping[str, float],
    notation: Notation,
    seed: int | None,
) -> dict[str, object]:
    """One line of ``predictions.jsonl``: all that a later scoring needs; no seed: unknown."""
    image = attempt.sample.image
    correct = bool(scores["correct"]) if "correct" in scores else None
    return describe(attempt, set_name, correct) | {
        "scores": dict(scores),
        "grammar": notation.grammar.name,
        "frame": notation.frame.value,
        "seed": seed,
        "image_key": image.key,
        "image_size": [image.width, image.height],
    }


def read_predictions(path: Path, listed: Grammar) -> list[Recorded]:
    """Answers of a ``.jsonl`` of ours, or of a ``.json`` list with boxes as ``listed``, in pixels.

    Raises UserError that lists every broken record, every answer given twice, and texts in
    another grammar.
    """
    if not path.is_file():
        raise UserError(f"predictions={path}: no such file. Type predictions=<file>.")
    problems = Problems(str(path))
    if path.suffix == ".jsonl":
        found = read_records(path, path.read_bytes(), problems)
    else:
        found = _read_list(path, listed)
    if not found and not problems.found:
        problems.add(path, "no answers")
    for key, count in Counter((one.set, one.group.sample.id) for one in found).items():
        if count > 1:
            problems.add(path, f"{count} answers to question {key[1]!r} of {key[0]!r}")
    problems.raise_if_any()
    check_notation(path, [(one.set, one.notation, one.group.completions[0].text) for one in found])
    return found


def read_records(path: Path, content: bytes, problems: Problems) -> list[Recorded]:
    """What ``prediction`` wrote, one a line; what is none is noted with its line."""
    found = []
    for where, record in json_lines(path, content):
        try:
            if isinstance(record, ValueError):
                raise record
            if not isinstance(record, dict):
                raise TypeError(f"expected an object, got {record!s:.40}")
            found.append(from_prediction(record))
        except KeyError as error:
            problems.add(where, f"no answer record: it lacks the field {error}")
        except (TypeError, ValueError, UserError) as error:
            problems.add(where, f"no answer record ({error})")
    return found


def from_prediction(record: Mapping[str, Any]) -> Recorded:
    """What ``prediction`` wrote. Raises KeyError, TypeError or ValueError for anything else."""
    for name in ("set", "id", "kind", "question", "text", "image_key"):
        if not isinstance(record[name], str):
            raise TypeError(f"{name} must be text, got {record[name]!r:.40}")
    width, height = record["image_size"]
    sample = Sample(
        id=record["id"],
        image=UnseenImage(key=record["image_key"], width=width, height=height),
        question=record["question"],
        options=tuple(record["options"]),
        answers=tuple(record["answers"]),
        groundings=tuple(
            Grounding(label=label, box=pixel_corners(*corners))
            for label, corners in record["boxes_true"]
        ),
        kind=record["kind"],
        provenance=Provenance(dataset=record["set"], split="recorded"),
    )
    notation = Notation.of(record["grammar"], record["frame"])
    group = answered(sample, record)
    if notation.frame is not Frame.PIXEL:
        sizes = (width, height, *group.view.extent(notation.frame))
        if min(sizes) <= 0:
            raise ValueError(f"image_size and model_size must tell what {notation.frame} means")
    return Recorded(set=record["set"], group=group, notation=notation)


def _read_list(path: Path, grammar: Grammar) -> list[Recorded]:
    # Nothing tells how large the pictures are, so that no other frame could be converted.
    notation = Notation(grammar=grammar, frame=Frame.PIXEL)
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UserError(f"{path} is not valid JSON: {error}") from error
    if not isinstance(rows, list):
        raise UserError(f"{path}: expected a list of records with {TRUTH} and {ANSWER}")
    problems = Problems(str(path))
    found = []
    for index, row in enumerate(rows):
        absent = [
            name
            for name in (TRUTH, ANSWER)
            if not isinstance(row, dict) or not isinstance(row.get(name), str)
        ]
        if absent:
            problems.add(f"{path}: record {index}", f"lacks the text {' and '.join(absent)}")
            continue
        try:
            found.append(_from_row(row, index, notation))
        except ValueError as error:
            problems.add(f"{path}: record {index}", str(error))
    problems.raise_if_any()
    return found


def _from_row(row: dict[str, Any], index: int, notation: Notation) -> Recorded:
    """Questions of such files bear no name and no picture, so each counts as its own."""
    question, options = _asked(row.get("prompt") or "")
    truth = notation.grammar.parse(row[TRUTH], notation.frame)
    right = read_answer(truth.answer, options)
    if right is None:
        raise ValueError(f"{TRUTH} names no option of {list(options)}: {row[TRUTH][-80:]!r}")
    sample = Sample(
        id=str(index),
        image=UnseenImage(key=str(index)),
        question=question,
        options=options,
        answers=tuple(option for option in options if option in right),
        groundings=tuple(dict.fromkeys(truth.groundings)),
        kind="several" if len(right) > 1 else "single",
        provenance=Provenance(dataset="recorded", split="recorded"),
    )
    text = row[ANSWER]
    completion = Completion(text=text, tokens=(), logprobs=(), truncated=False)
    view = View(width=0, height=0, model_width=0, model_height=0)
    group = RolloutGroup(sample=sample, view=view, completions=(completion,))
    return Recorded(set="", group=group, notation=notation)


def _asked(prompt: str) -> tuple[str, tuple[str, ...]]:
    """Question and options of ``Question: ...\\nOptions: (A) ... (B) ...``; letters without."""
    question, _, listed = prompt.rpartition("Options: ")
    words = _OPTION.split(listed.strip().removesuffix("."))[2::2]
    options = distinct([word.strip() for word in words]) or tuple(LETTERS)
    return question.strip().removeprefix("Question: "), options
