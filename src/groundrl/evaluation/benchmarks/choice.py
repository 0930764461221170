"""Multiple choice: DrivingVQA (several right options) and A-OKVQA (one; or words of its own)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

from groundrl.answers.attempt import Attempt
from groundrl.answers.options import normalise, read_answer
from groundrl.evaluation.benchmarks.base import (
    Figures,
    Form,
    QuestionSet,
    ScoredAttempt,
    answer_text,
    image_keys,
    mean,
    precision_recall_f1,
    says_anything,
    score_column,
    share,
)
from groundrl.evaluation.benchmarks.files import (
    COCO_FOLDERS,
    COCO_PLACE,
    Download,
    ImageFinder,
    PublishedBenchmark,
    QuestionCollector,
    pick_beside,
    pixel_corners,
    read_json,
    with_places,
)
from groundrl.fields import Fields
from groundrl.prompts import LETTERS
from groundrl.records import Grounding, NamedImage, Provenance, Sample

MAX_AREA = 3_686_400
"""Pixels of the largest image asked about, as published ("Visual Reasoning", study 2)."""
MATCHES_FOR_FULL_MARKS = 3
"""Of ten people: an answer that three gave is right (VQA's rule, as A-OKVQA uses it)."""


def distinct_options(options: Sequence[str]) -> tuple[str, ...]:
    """Options as told apart by their words: blank and repeated ones are given their letter."""
    plain = [normalise(option) for option in options]
    return tuple(
        option if text and plain.count(text) == 1 else f"{option} [{LETTERS[index]}]".strip()
        for index, (option, text) in enumerate(zip(options, plain, strict=True))
    )


def chosen_options(attempt: Attempt) -> frozenset[str]:
    """The options that the answer names by word or letter; none when it says anything else."""
    return read_answer(answer_text(attempt), attempt.sample.options) or frozenset()


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
        picked, right = chosen_options(attempt), frozenset(attempt.sample.answers)
        return {
            "correct": float(picked == right),
            "hits": float(len(picked & right)),
            "chosen": float(len(picked)),
            "right": float(len(right)),
        }

    def figures(self, answered: Sequence[ScoredAttempt]) -> Figures:
        """See the class."""
        correct, right = score_column(answered, "correct"), score_column(answered, "right")
        several = right > 1
        return {
            **share("exam_score", correct),
            **precision_recall_f1(
                score_column(answered, "hits"),
                score_column(answered, "chosen"),
                right,
                image_keys(answered),
            ),
            **share("multi_acc", correct[several]),
            "multi_n": float(several.sum()),
            **share("unparsed", score_column(answered, "chosen") == 0),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class DrivingVQA(Choices, PublishedBenchmark):
    """Questions of a driving theory exam (arXiv 2501.04671): any number of options is right.

    Only single questions with at most ``MAX_AREA`` pixels are asked.
    """

    split: str = "test"
    sizes: ClassVar[Mapping[str, int]] = {"test": 474}

    @property
    def part(self) -> str:
        """See ``PublishedBenchmark``."""
        return self.split

    def questions(self, images: bool = True) -> QuestionSet:
        """See ``PublishedBenchmark``."""
        place = "https://huggingface.co/datasets/EPFL-DrivingVQA/DrivingVQA"
        file = f"**/{self.split}.json"
        download = Download(name="DrivingVQA", parts={file: place}, images={"**/images": place})
        found = download.find(self.root, images)
        path, folders = pick_beside(found[file], found["**/images"])
        where = [place for folder in folders for place in (folder, folder.parent)]
        asked = QuestionCollector("DrivingVQA", ImageFinder(where), images)
        content = read_json(path)
        rows = list(content.values()) if isinstance(content, dict) else content
        asked.each(with_places(path, rows), lambda _, row: self._read(row, asked))
        return asked.questions()

    def _read(self, row: Fields, asked: QuestionCollector) -> None:
        name = row.text("img_filename")
        if row.flag("has_multiple_questions"):
            return
        question = row.texts("questions") if isinstance(row["questions"], list) else ()
        question = question[0] if question else row.text("questions")
        choices = row.inner("possible_answers")
        letters = sorted(choices.row)
        options = distinct_options([choices.text(letter) for letter in letters])
        named = dict(zip(letters, options, strict=True))
        right = sorted(row.texts("true_answers"))
        strangers = [letter for letter in right if letter not in named]
        if strangers:
            raise ValueError(f"true_answers {strangers} are not among {letters}")
        boxes = _entities(row)
        image = asked.image(Path(name).stem, name)
        if isinstance(image, NamedImage) and "img_size" in row.row:
            width, height = row.size("img_size")
            image = replace(image, width=width, height=height)
        if image is None or image.width * image.height > MAX_AREA:
            return
        asked.add(
            Sample(
                id=Path(name).stem,
                image=image,
                question=question,
                options=options,
                answers=tuple(named[letter] for letter in right),
                groundings=tuple(boxes),
                kind="several" if len(right) > 1 else "single",
                provenance=Provenance(dataset="drivingvqa", split=self.split, licence="MIT"),
            )
        )


def _entities(row: Fields) -> list[Grounding]:
    """``relevant_entities``: ``[{"car": [x, y, width, height]}, ...]``."""
    found = []
    for entity in row.inners("relevant_entities") if row.row.get("relevant_entities") else ():
        for label in entity.row:
            x, y, width, height = entity.four(label)
            found.append(Grounding(label=label, box=pixel_corners(x, y, x + width, y + height)))
    return found


def _aokvqa(
    root: str | None, split: str, images: bool
) -> tuple[QuestionCollector, list[tuple[str, Any]]]:
    """Where to look for images, and the rows with their places."""
    file = f"**/aokvqa_v1p0_{split}.json"
    download = Download(
        name="A-OKVQA",
        parts={file: "https://prior-datasets.s3.us-east-2.amazonaws.com/aokvqa/aokvqa_v1p0.tar.gz"},
        images={COCO_FOLDERS: COCO_PLACE},
    )
    found = download.find(root, images)
    path = found[file][0]
    rows = with_places(path, read_json(path))
    return QuestionCollector("A-OKVQA", ImageFinder(found[COCO_FOLDERS]), images), rows


@dataclass(frozen=True, slots=True, kw_only=True)
class AOKVQA(Choices, PublishedBenchmark):
    """Questions that need knowledge of the world (arXiv 2206.01718); one of four options is right,
    so that ``exam_score`` is the accuracy."""

    split: str = "val"
    sizes: ClassVar[Mapping[str, int]] = {"val": 1145}

    @property
    def part(self) -> str:
        """See ``PublishedBenchmark``."""
        return self.split

    def questions(self, images: bool = True) -> QuestionSet:
        """See ``PublishedBenchmark``."""
        asked, rows = _aokvqa(self.root, self.split, images)
        asked.each(rows, lambda _, row: self._read(row, asked))
        return asked.questions()

    def _read(self, row: Fields, asked: QuestionCollector) -> None:
        name, options = row.text("question_id"), distinct_options(row.texts("choices"))
        place = row.whole("correct_choice_idx")
        if place >= len(options):
            raise ValueError(f"correct_choice_idx {place} is none of {len(options)} choices")
        image = asked.image(name, f"{row.whole('image_id'):012d}.jpg")
        if image is not None:
            asked.add(
                Sample(
                    id=name,
                    image=image,
                    question=row.text("question"),
                    options=options,
                    answers=(options[place],),
                    kind="choice",
                    provenance=_source(self.split),
                )
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class AOKVQADirect(PublishedBenchmark):
    """The same questions without options: ``score`` is the mean of ``min(1, matches / 3)`` over the
    ten answers given by people, compared by letters and digits; difficult questions are left out,
    as published. ``unparsed``: nothing was said."""

    split: str = "val"
    form: ClassVar[Form] = Form.TEXT

    def questions(self, images: bool = True) -> QuestionSet:
        """See ``PublishedBenchmark``."""
        asked, rows = _aokvqa(self.root, self.split, images)
        asked.each(rows, lambda _, row: self._read(row, asked))
        return asked.questions()

    def _read(self, row: Fields, asked: QuestionCollector) -> None:
        if row.row.get("difficult_direct_answer"):
            return
        name = row.text("question_id")
        image = asked.image(name, f"{row.whole('image_id'):012d}.jpg")
        if image is not None:
            asked.add(
                Sample(
                    id=name,
                    image=image,
                    question=row.text("question"),
                    answers=row.texts("direct_answers"),
                    kind="direct",
                    provenance=_source(self.split),
                )
            )

    def score(self, attempt: Attempt) -> dict[str, float]:
        """See the class."""
        plain = normalise(answer_text(attempt))
        matches = sum(normalise(answer) == plain for answer in attempt.sample.answers)
        return {"score": min(1.0, matches / MATCHES_FOR_FULL_MARKS), "said": says_anything(attempt)}

    def figures(self, answered: Sequence[ScoredAttempt]) -> Figures:
        """See the class."""
        return {
            **mean("score", score_column(answered, "score"), image_keys(answered)),
            **share("unparsed", 1 - score_column(answered, "said")),
        }


def _source(split: str) -> Provenance:
    return Provenance(dataset="aokvqa", split=split, licence="Apache-2.0")
