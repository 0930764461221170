"""Multiple choice: DrivingVQA (several right options) and A-OKVQA (one; or words of its own)."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from groundrl.errors import UserError
from groundrl.evaluation.benchmarks.base import (
    Answered,
    Figures,
    Form,
    Questions,
    column,
    images,
    mean,
    precision_recall_f1,
    said,
    share,
)
from groundrl.evaluation.benchmarks.files import (
    COCO_FOLDERS,
    COCO_PLACE,
    Asked,
    Download,
    Pictures,
    Published,
    fields,
    pixel_corners,
    read_json,
)
from groundrl.grammar.answers import LETTERS, normalise, read_answer
from groundrl.records import Grounding, ImageFile, Provenance, Sample
from groundrl.rewards.base import Attempt

MAX_AREA = 3_686_400
"""Pixels of the largest picture asked about, as published ("Visual Reasoning", study 2)."""
MATCHES_FOR_FULL_MARKS = 3
"""Of ten people: an answer that three gave is right (VQA's rule, as A-OKVQA uses it)."""


def distinct(options: Sequence[str]) -> tuple[str, ...]:
    """Options as told apart by their words: blank and repeated ones are given their letter."""
    plain = [normalise(option) for option in options]
    return tuple(
        option if text and plain.count(text) == 1 else f"{option} [{LETTERS[index]}]".strip()
        for index, (option, text) in enumerate(zip(options, plain, strict=True))
    )


def chosen(attempt: Attempt) -> frozenset[str]:
    """The options that the answer names by word or letter; none when it says anything else."""
    return read_answer(said(attempt), attempt.sample.options) or frozenset()


class Choices:
    """What benchmarks with options have in common.

    ``exam_score``: share of questions with exactly the right options. ``precision``, ``recall``,
    ``f1``: micro-averages over options. ``multi_acc``: exam score of the questions with more than
    one right option.
    """

    __slots__ = ()
    form: ClassVar[Form] = Form.OPTIONS

    def score(self, attempt: Attempt) -> dict[str, float]:
        """Which options were chosen, and which should have been."""
        picked, right = chosen(attempt), frozenset(attempt.sample.answers)
        return {
            "correct": float(picked == right),
            "hits": float(len(picked & right)),
            "chosen": float(len(picked)),
            "right": float(len(right)),
        }

    def figures(self, answered: Sequence[Answered]) -> Figures:
        """See the class."""
        correct, right = column(answered, "correct"), column(answered, "right")
        several = right > 1
        return {
            **share("exam_score", correct),
            **precision_recall_f1(
                column(answered, "hits"), column(answered, "chosen"), right, images(answered)
            ),
            **share("multi_acc", correct[several]),
            "multi_n": float(several.sum()),
            **share("unparsed", column(answered, "chosen") == 0),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class DrivingVQA(Choices, Published):
    """Questions of a driving theory exam (arXiv 2501.04671): any number of options is right.

    Only single questions with at most ``MAX_AREA`` pixels are asked.
    """

    split: str = "test"

    def questions(self) -> Questions:
        """See ``Benchmark``."""
        place = "https://huggingface.co/datasets/EPFL-DrivingVQA/DrivingVQA"
        file = f"{self.split}.json"
        download = Download(name="DrivingVQA", parts={file: place, "images": place})
        found = download.find(self.root)
        (path, *_), (images, *_) = found[file], found["images"]
        asked = Asked("DrivingVQA", Pictures([images, images.parent]))
        for index, row in enumerate(_rows(path)):
            where = f"{path}: record {index}"
            name, several = fields(row, ("img_filename", "has_multiple_questions"), where)
            image = None if several else asked.picture(Path(name).stem, name)
            if image is not None and image.width * image.height <= MAX_AREA:
                asked.add(self._sample(row, image, where))
        return asked.questions()

    def _sample(self, row: Any, image: ImageFile, where: str) -> Sample:
        question, choices, right = fields(
            row, ("questions", "possible_answers", "true_answers"), where
        )
        options = distinct([choices[letter] for letter in sorted(choices)])
        named = dict(zip(sorted(choices), options, strict=True))
        strangers = [letter for letter in right if letter not in named]
        if strangers:
            raise UserError(f"{where}: true_answers {strangers} are not among {sorted(choices)}")
        return Sample(
            id=image.path.stem,
            image=image,
            question=question[0] if isinstance(question, list) else question,
            options=options,
            answers=tuple(named[letter] for letter in sorted(right)),
            groundings=tuple(_entities(row)),
            kind="several" if len(right) > 1 else "single",
            provenance=Provenance(dataset="drivingvqa", split=self.split, licence="MIT"),
        )


def _rows(path: Path) -> list[Any]:
    content = read_json(path)
    rows = list(content.values()) if isinstance(content, dict) else content
    if not isinstance(rows, list):
        raise UserError(f"{path}: expected a list of records")
    return rows


def _entities(row: Any) -> list[Grounding]:
    """``relevant_entities``: ``[{"car": [x, y, width, height]}, ...]``."""
    return [
        Grounding(label=label, box=pixel_corners(x, y, x + w, y + h))
        for entity in row.get("relevant_entities") or ()
        for label, (x, y, w, h) in entity.items()
    ]


def _aokvqa(root: str | None, split: str) -> tuple[Asked, list[tuple[str, Any]]]:
    """Where to look for pictures, and the rows with their places."""
    file = f"**/aokvqa_v1p0_{split}.json"
    download = Download(
        name="A-OKVQA",
        parts={
            file: "https://prior-datasets.s3.us-east-2.amazonaws.com/aokvqa/aokvqa_v1p0.tar.gz",
            COCO_FOLDERS: COCO_PLACE,
        },
    )
    found = download.find(root)
    path = found[file][0]
    rows = [(f"{path}: record {index}", row) for index, row in enumerate(read_json(path))]
    return Asked("A-OKVQA", Pictures(found[COCO_FOLDERS])), rows


@dataclass(frozen=True, slots=True, kw_only=True)
class AOKVQA(Choices, Published):
    """Questions that need knowledge of the world (arXiv 2206.01718); one of four options is right,
    so that ``exam_score`` is the accuracy."""

    split: str = "val"

    def questions(self) -> Questions:
        """See ``Benchmark``."""
        asked, rows = _aokvqa(self.root, self.split)
        for where, row in rows:
            number, name, question, choices, place = fields(
                row, ("image_id", "question_id", "question", "choices", "correct_choice_idx"), where
            )
            image = asked.picture(name, f"{number:012d}.jpg")
            options = distinct(choices)
            if image is not None:
                asked.add(
                    Sample(
                        id=name,
                        image=image,
                        question=question,
                        options=options,
                        answers=(options[place],),
                        kind="choice",
                        provenance=_source(self.split),
                    )
                )
        return asked.questions()


@dataclass(frozen=True, slots=True, kw_only=True)
class AOKVQADirect(Published):
    """The same questions without options: ``score`` is the mean of ``min(1, matches / 3)`` over the
    ten answers given by people, compared by letters and digits; difficult questions are left out,
    as published. ``unparsed``: nothing was said."""

    split: str = "val"
    form: ClassVar[Form] = Form.TEXT

    def questions(self) -> Questions:
        """See ``Benchmark``."""
        asked, rows = _aokvqa(self.root, self.split)
        for where, row in rows:
            number, name, question, texts = fields(
                row, ("image_id", "question_id", "question", "direct_answers"), where
            )
            if row.get("difficult_direct_answer"):
                continue
            image = asked.picture(name, f"{number:012d}.jpg")
            if image is not None:
                asked.add(
                    Sample(
                        id=name,
                        image=image,
                        question=question,
                        answers=tuple(texts),
                        kind="direct",
                        provenance=_source(self.split),
                    )
                )
        return asked.questions()

    def score(self, attempt: Attempt) -> dict[str, float]:
        """See the class."""
        plain = normalise(said(attempt))
        matches = sum(normalise(answer) == plain for answer in attempt.sample.answers)
        return {"score": min(1.0, matches / MATCHES_FOR_FULL_MARKS), "said": float(bool(plain))}

    def figures(self, answered: Sequence[Answered]) -> Figures:
        """See the class."""
        return {
            **mean("score", column(answered, "score"), images(answered)),
            **share("unparsed", 1 - column(answered, "said")),
        }


def _source(split: str) -> Provenance:
    return Provenance(dataset="aokvqa", split=split, licence="Apache-2.0")
