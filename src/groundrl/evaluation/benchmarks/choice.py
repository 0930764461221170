"""Multiple choice with any number of right options: DrivingVQA (arXiv 2501.04671)."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar

from pydantic import BeforeValidator

from groundrl.answers.attempt import Attempt
from groundrl.answers.options import normalise, read_answer, read_exactly
from groundrl.evaluation.benchmarks.base import (
    PRECISION_RECALL_F1,
    STRICT_PRECISION_RECALL_F1,
    UNPARSED,
    Figures,
    Form,
    ScoredAttempt,
    answer_text,
    image_keys,
    precision_recall_f1,
    score_column,
    share,
    strict_answer_text,
)
from groundrl.evaluation.benchmarks.files import (
    Download,
    FoundFiles,
    pixel_box,
    read_json,
    with_places,
)
from groundrl.evaluation.benchmarks.published import RowBenchmark
from groundrl.figures import FigureInfo, FigureInfos
from groundrl.json_rows import Corners, Flag, Text, Whole
from groundrl.prompts import LETTERS
from groundrl.records import Grounding, NamedImage, Provenance, Sample

MAX_AREA = 3_686_400
"""Pixels of the largest image asked about, as published ("Visual Reasoning", study 2)."""


def distinct_options(options: Sequence[str]) -> tuple[str, ...]:
    """Options with different words: a blank or repeated option gets its letter behind it."""
    plain = [normalise(option) for option in options]
    return tuple(
        option if text and plain.count(text) == 1 else f"{option} [{LETTERS[index]}]".strip()
        for index, (option, text) in enumerate(zip(options, plain, strict=True))
    )


def chosen_options(attempt: Attempt) -> frozenset[str]:
    """The options that the answer chooses by word or letter; empty for any other answer."""
    return read_answer(answer_text(attempt), attempt.sample.options) or frozenset()


def strictly_chosen_options(attempt: Attempt) -> frozenset[str]:
    """The options that the answer in its tags consists of; empty for any other answer."""
    return read_exactly(strict_answer_text(attempt), attempt.sample.options) or frozenset()


class Choices:
    """The protocol of multiple choice with any number of right options."""

    __slots__ = ()
    form: ClassVar[Form] = Form.OPTIONS
    figure_infos: ClassVar[FigureInfos] = {
        "exam_score": FigureInfo(
            meaning="Share of questions with exactly the right options.",
            quoted=True,
            score="correct",
        ),
        **PRECISION_RECALL_F1,
        "strict_exam_score": FigureInfo(
            meaning="Exam score when an answer that holds more than options, or no tags, is wrong."
        ),
        **STRICT_PRECISION_RECALL_F1,
        "multi_acc": FigureInfo(
            meaning="Share of right answers to questions with several right options."
        ),
        "multi_n": FigureInfo(meaning="Questions with several right options."),
        "unparsed": UNPARSED,
    }

    def score(self, attempt: Attempt) -> dict[str, float]:
        """Which options were chosen, in both readings, and which should have been."""
        picked, right = chosen_options(attempt), frozenset(attempt.sample.answers)
        strict = strictly_chosen_options(attempt)
        return {
            "correct": float(picked == right),
            "hits": float(len(picked & right)),
            "chosen": float(len(picked)),
            "strict_correct": float(strict == right),
            "strict_hits": float(len(strict & right)),
            "strict_chosen": float(len(strict)),
            "right": float(len(right)),
        }

    def figures(self, answered: Sequence[ScoredAttempt]) -> Figures:
        """See ``figure_infos``; precision, recall and F1 are micro-averages over options."""
        correct, right = score_column(answered, "correct"), score_column(answered, "right")
        several, clusters = right > 1, image_keys(answered)
        lenient, strict = (
            precision_recall_f1(
                score_column(answered, f"{reading}hits"),
                score_column(answered, f"{reading}chosen"),
                right,
                clusters,
            )
            for reading in ("", "strict_")
        )
        return {
            **share("exam_score", correct),
            **lenient,
            **share("strict_exam_score", score_column(answered, "strict_correct")),
            **{f"strict_{name}": value for name, value in strict.items()},
            **share("multi_acc", correct[several]),
            "multi_n": float(several.sum()),
            **share("unparsed", score_column(answered, "chosen") == 0),
        }


def _first(value: object) -> object:
    return value[0] if isinstance(value, list) and value else value


@dataclass(frozen=True, slots=True, kw_only=True)
class DrivingVQARow:
    """A scene of the exam with its question."""

    img_filename: Text
    has_multiple_questions: Flag
    questions: Annotated[Text, BeforeValidator(_first)]
    """Published as a list of one."""
    possible_answers: dict[Text, Text]
    """Letter -> option."""
    true_answers: tuple[Text, ...]
    """Letters."""
    relevant_entities: tuple[dict[Text, Corners], ...] | None = None
    """``[{"car": [x, y, width, height]}, ...]``."""
    img_size: tuple[Whole, Whole] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DrivingVQA(Choices, RowBenchmark):
    """Questions of a driving theory exam (arXiv 2501.04671): any number of options is right.

    Only single questions with at most ``MAX_AREA`` pixels are asked.
    """

    split: str = "test"

    row: ClassVar[type] = DrivingVQARow
    sizes: ClassVar[Mapping[str, int]] = {"test": 474}

    @property
    def part(self) -> str:
        """See ``PublishedBenchmark``."""
        return self.split

    @property
    def download(self) -> Download:
        """See ``PublishedBenchmark``."""
        place = "https://huggingface.co/datasets/EPFL-DrivingVQA/DrivingVQA"
        return Download(
            name="DrivingVQA",
            parts={f"**/{self.split}.json": place},
            images={"**/images": place},
            images_beside=True,
        )

    def image_folders(self, files: FoundFiles) -> Sequence[Path]:
        """See ``PublishedBenchmark``."""
        return [place for folder in files.folders for place in (folder, folder.parent)]

    def rows(self, files: FoundFiles) -> Iterable[tuple[str, Any]]:
        """Those with one question."""
        content = read_json(files.parts[0])
        rows = list(content.values()) if isinstance(content, dict) else content
        for where, row in with_places(files.parts[0], rows):
            if not isinstance(row, dict) or row.get("has_multiple_questions") is not True:
                yield where, row

    def read(self, number: int, row: DrivingVQARow) -> Iterable[Sample]:
        """See ``RowBenchmark``."""
        letters = sorted(row.possible_answers)
        options = distinct_options([row.possible_answers[letter] for letter in letters])
        named = dict(zip(letters, options, strict=True))
        right = sorted(row.true_answers)
        strangers = [letter for letter in right if letter not in named]
        if strangers:
            raise ValueError(f"true_answers {strangers} are not among {letters}")
        width, height = row.img_size or (0, 0)
        yield Sample(
            id=Path(row.img_filename).stem,
            image=NamedImage(key=row.img_filename, width=width, height=height),
            question=row.questions,
            options=options,
            answers=tuple(named[letter] for letter in right),
            groundings=tuple(
                Grounding(label=label, box=pixel_box(x, y, x + width, y + height))
                for entity in row.relevant_entities or ()
                for label, (x, y, width, height) in entity.items()
            ),
            kind="several" if len(right) > 1 else "single",
            provenance=Provenance(dataset="drivingvqa", split=self.split, licence="MIT"),
        )

    def complete(self, sample: Sample) -> Sample | None:
        """Not asked about images of more than ``MAX_AREA`` pixels."""
        return sample if sample.image.width * sample.image.height <= MAX_AREA else None
