"""A-OKVQA (arXiv 2206.01718): questions that need knowledge of the world."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from groundrl.answers.attempt import Attempt
from groundrl.answers.options import normalise
from groundrl.answers.wording import conclude
from groundrl.evaluation.benchmarks.base import (
    UNPARSED,
    Figures,
    Form,
    ScoredAttempt,
    answer_text,
    has_words,
    image_keys,
    mean,
    score_column,
    share,
    strict_answer_text,
)
from groundrl.evaluation.benchmarks.choice import Choices, distinct_options
from groundrl.evaluation.benchmarks.files import (
    COCO_IMAGES,
    Download,
)
from groundrl.evaluation.benchmarks.published import RowBenchmark
from groundrl.figures import FigureInfo, FigureInfos
from groundrl.json_rows import Flag, Text, Whole
from groundrl.records import NamedImage, Provenance, Sample

MATCHES_FOR_FULL_MARKS = 3
"""Of ten people: an answer that three gave is right (VQA's rule, as A-OKVQA uses it)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AOKVQARow:
    """A question of A-OKVQA with options."""

    question_id: Text
    image_id: Whole
    question: Text
    choices: tuple[Text, ...]
    correct_choice_idx: Whole


@dataclass(frozen=True, slots=True, kw_only=True)
class AOKVQA(Choices, RowBenchmark):
    """Questions that need knowledge of the world (arXiv 2206.01718); one of four options is right,
    so that ``exam_score`` is the accuracy."""

    split: str = "val"

    row: ClassVar[type] = AOKVQARow
    sizes: ClassVar[Mapping[str, int]] = {"val": 1145}

    @property
    def part(self) -> str:
        """See ``PublishedBenchmark``."""
        return self.split

    @property
    def download(self) -> Download:
        """See ``PublishedBenchmark``."""
        return _download_aokvqa(self.split)

    def read(self, number: int, row: AOKVQARow) -> Iterable[Sample]:
        """See ``RowBenchmark``."""
        options, index = distinct_options(row.choices), row.correct_choice_idx
        if index >= len(options):
            raise ValueError(f"correct_choice_idx {index} is none of {len(options)} choices")
        yield Sample(
            id=row.question_id,
            image=NamedImage(key=f"{row.image_id:012d}.jpg"),
            question=row.question,
            options=options,
            answers=(options[index],),
            kind="choice",
            provenance=_provenance_aokvqa(self.split),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class AOKVQADirectRow:
    """A question of A-OKVQA with the answers of ten people."""

    question_id: Text
    image_id: Whole
    question: Text
    direct_answers: tuple[Text, ...]
    difficult_direct_answer: Flag | None = None
    """Whether the answers differ too much to be compared with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AOKVQADirect(RowBenchmark):
    """The same questions without options, compared with ten people's answers by letters and
    digits; difficult questions are left out, as published."""

    split: str = "val"

    form: ClassVar[Form] = Form.TEXT
    figure_infos: ClassVar[FigureInfos] = {
        "score": FigureInfo(
            meaning="Mean of min(1, matches / 3) over ten people's answers.",
            quoted=True,
            score="score",
        ),
        "strict_score": FigureInfo(
            meaning="The same when an answer that holds more than its words counts as it stands."
        ),
        "unparsed": UNPARSED,
    }
    row: ClassVar[type] = AOKVQADirectRow

    @property
    def download(self) -> Download:
        """See ``PublishedBenchmark``."""
        return _download_aokvqa(self.split)

    def read(self, number: int, row: AOKVQADirectRow) -> Iterable[Sample]:
        """See ``RowBenchmark``."""
        if not row.difficult_direct_answer:
            yield Sample(
                id=row.question_id,
                image=NamedImage(key=f"{row.image_id:012d}.jpg"),
                question=row.question,
                answers=row.direct_answers,
                kind="direct",
                provenance=_provenance_aokvqa(self.split),
            )

    def score(self, attempt: Attempt) -> dict[str, float]:
        """Agreement with the answers that people gave, in both readings."""
        given = [normalise(answer) for answer in attempt.sample.answers]
        said = normalise(conclude(answer_text(attempt)))
        strict = normalise(strict_answer_text(attempt))
        return {
            "score": min(1.0, given.count(said) / MATCHES_FOR_FULL_MARKS),
            "strict_score": min(1.0, given.count(strict) / MATCHES_FOR_FULL_MARKS),
            "said": has_words(attempt),
        }

    def figures(self, answered: Sequence[ScoredAttempt]) -> Figures:
        """See ``figure_infos``."""
        return {
            **mean("score", score_column(answered, "score"), image_keys(answered)),
            **mean("strict_score", score_column(answered, "strict_score"), image_keys(answered)),
            **share("unparsed", 1 - score_column(answered, "said")),
        }


def _download_aokvqa(split: str) -> Download:
    place = "https://prior-datasets.s3.us-east-2.amazonaws.com/aokvqa/aokvqa_v1p0.tar.gz"
    parts = {f"**/aokvqa_v1p0_{split}.json": place}
    return Download(name="A-OKVQA", parts=parts, images=COCO_IMAGES)


def _provenance_aokvqa(split: str) -> Provenance:
    return Provenance(dataset="aokvqa", split=split, licence="Apache-2.0")
