"""A-OKVQA (arXiv 2206.01718): questions that need knowledge of the world."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import ClassVar, Final

from groundrl.answers.options import distinct_options
from groundrl.json_rows import Flag, Text, Whole
from groundrl.published.files import COCO_IMAGES, Download
from groundrl.published.reader import RowReader, Target
from groundrl.records import Form, NamedImage, Provenance, Sample

SOURCE: Final = "https://allenai.org/project/a-okvqa/home"
PLACE: Final = "https://prior-datasets.s3.us-east-2.amazonaws.com/aokvqa/aokvqa_v1p0.tar.gz"


@dataclass(frozen=True, slots=True, kw_only=True)
class AOKVQARow:
    """A question with options. The published test part has no right choice and no rationales."""

    question_id: Text
    image_id: Whole
    question: Text
    choices: tuple[Text, ...]
    correct_choice_idx: Whole
    rationales: tuple[Text, ...] = ()
    """Of three people."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AOKVQAReader(RowReader):
    """Questions with four options, one of them right; worked answers give the first rationale."""

    split: str = "val"

    form: ClassVar[Form] = Form.OPTIONS
    targets: ClassVar[tuple[Target, ...]] = ("answer_only", "rationale")
    row: ClassVar[type] = AOKVQARow
    sizes: ClassVar[Mapping[str, int]] = {"val": 1145}

    @property
    def part(self) -> str:
        """See ``PublishedReader``."""
        return self.split

    @property
    def download(self) -> Download:
        """See ``PublishedReader``."""
        return _download(self.split)

    def read(self, number: int, row: AOKVQARow) -> Iterable[Sample]:
        """See ``RowReader``."""
        options, index = distinct_options(row.choices), row.correct_choice_idx
        if index >= len(options):
            raise ValueError(f"correct_choice_idx {index} is none of {len(options)} choices")
        said = [text.strip() for text in row.rationales if text.strip()]
        yield Sample(
            id=row.question_id,
            image=NamedImage(key=f"{row.image_id:012d}.jpg"),
            question=row.question,
            options=options,
            answers=(options[index],),
            rationale=(said[0],) if said else None,
            kind="choice",
            provenance=_provenance(self.split),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class AOKVQADirectRow:
    """A question with the answers of ten people."""

    question_id: Text
    image_id: Whole
    question: Text
    direct_answers: tuple[Text, ...]
    difficult_direct_answer: Flag | None = None
    """Whether the answers differ too much to be compared with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AOKVQADirectReader(RowReader):
    """The same questions without options; difficult ones are left out, as published."""

    split: str = "val"

    form: ClassVar[Form] = Form.TEXT
    row: ClassVar[type] = AOKVQADirectRow

    @property
    def download(self) -> Download:
        """See ``PublishedReader``."""
        return _download(self.split)

    def read(self, number: int, row: AOKVQADirectRow) -> Iterable[Sample]:
        """See ``RowReader``."""
        if not row.difficult_direct_answer:
            yield Sample(
                id=row.question_id,
                image=NamedImage(key=f"{row.image_id:012d}.jpg"),
                question=row.question,
                answers=row.direct_answers,
                kind="direct",
                provenance=_provenance(self.split),
            )


def _download(split: str) -> Download:
    parts = {f"**/aokvqa_v1p0_{split}.json": PLACE}
    return Download(name="A-OKVQA", parts=parts, images=COCO_IMAGES, world="world_vqa")


def _provenance(split: str) -> Provenance:
    return Provenance(dataset="aokvqa", split=split, licence="Apache-2.0", source=SOURCE)
