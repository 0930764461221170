"""Is the statement true of the image? VSR (arXiv 2205.00363) and SpatialSense (1908.02660)."""

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

from groundrl.answers.attempt import Attempt
from groundrl.answers.options import normalise
from groundrl.answers.verdicts import VERDICTS, read_verdict
from groundrl.evaluation.benchmarks.base import (
    UNPARSED,
    Figures,
    Form,
    ScoredAttempt,
    accuracy_by_kind,
    answer_text,
    score_column,
    share,
    strict_answer_text,
)
from groundrl.evaluation.benchmarks.files import (
    COCO_IMAGES,
    Download,
    FoundFiles,
    Truth,
    pixel_box,
)
from groundrl.evaluation.benchmarks.published import RowBenchmark
from groundrl.figures import FigureInfo, FigureInfos
from groundrl.json_rows import Corners, Text
from groundrl.questions.verdicts import TRUE_FALSE, statement
from groundrl.records import Grounding, NamedImage, Provenance, Sample

TEST_TENTHS, VALID_TENTHS = 2, 1
"""Of the images of SpatialSense."""


class Statements:
    """The protocol of statements that are true or false."""

    __slots__ = ()
    form: ClassVar[Form] = Form.TRUE_FALSE
    figure_infos: ClassVar[FigureInfos] = {
        "acc": FigureInfo(meaning="Share of right answers.", quoted=True, score="correct"),
        "strict_acc": FigureInfo(
            meaning="Accuracy when any answer but the one word, in its tags, is wrong."
        ),
        "true_ratio": FigureInfo(meaning="Share of true among the answers."),
        "unparsed": UNPARSED,
    }

    def score(self, attempt: Attempt) -> dict[str, float]:
        """Both readings; what is neither true nor false (yes nor no) is wrong. Strictly the whole
        answer is one of these words, compared by letters and digits."""
        found = read_verdict(answer_text(attempt))
        strict = VERDICTS.get(normalise(strict_answer_text(attempt)))
        right = VERDICTS[attempt.sample.answers[0]]
        return {
            "correct": float(found is right),
            "strict_correct": float(strict is right),
            "true": float(found is True),
            "parsed": float(found is not None),
        }

    def figures(self, answered: Sequence[ScoredAttempt]) -> Figures:
        """See ``figure_infos``; accuracy also by relation."""
        return {
            **share("acc", score_column(answered, "correct")),
            **share("strict_acc", score_column(answered, "strict_correct")),
            **share("true_ratio", score_column(answered, "true")),
            **share("unparsed", 1 - score_column(answered, "parsed")),
            **accuracy_by_kind(answered),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class VSRRow:
    """A caption about an image. Its ``subj`` and ``obj`` are damaged in places and not read."""

    image: Text
    caption: Text
    label: Truth
    relation: Text


@dataclass(frozen=True, slots=True, kw_only=True)
class VSR(Statements, RowBenchmark):
    """Visual Spatial Reasoning: a caption with one spatial relation, true or false."""

    variant: Literal["zeroshot", "random"] = "zeroshot"
    split: Literal["train", "dev", "test"] = "test"

    row: ClassVar[type] = VSRRow
    sizes: ClassVar[Mapping[str, int]] = {
        **{"zeroshot/train": 3489, "zeroshot/dev": 340, "zeroshot/test": 1222},
        **{"random/train": 7680, "random/dev": 1097, "random/test": 2195},
    }

    @property
    def part(self) -> str:
        """See ``PublishedBenchmark``."""
        return f"{self.variant}/{self.split}"

    @property
    def download(self) -> Download:
        """See ``PublishedBenchmark``."""
        place = f"https://huggingface.co/datasets/cambridgeltl/vsr_{self.variant}"
        return Download(name="VSR", parts={f"**/{self.part}.jsonl": place}, images=COCO_IMAGES)

    def read(self, number: int, row: VSRRow) -> Iterable[Sample]:
        """See ``RowBenchmark``."""
        yield Sample(
            id=str(number + 1),
            image=NamedImage(key=row.image),
            question=statement(row.caption),
            answers=(TRUE_FALSE[row.label],),
            kind=row.relation,
            provenance=Provenance(dataset="vsr", split=self.split, licence="Apache-2.0"),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SpatialSenseObject:
    """One of the two objects of a statement."""

    name: Text
    bbox: Corners
    """y0, y1, x0, x1."""

    @property
    def grounding(self) -> Grounding:
        """The object with its box. Raises ValueError for swapped corners."""
        y1, y2, x1, x2 = self.bbox
        return Grounding(label=self.name, box=pixel_box(x1, y1, x2, y2))


@dataclass(frozen=True, slots=True, kw_only=True)
class SpatialSenseStatement:
    """A relation between two objects."""

    subject: SpatialSenseObject
    object: SpatialSenseObject
    predicate: Text
    label: Truth


@dataclass(frozen=True, slots=True, kw_only=True)
class SpatialSenseRow:
    """An image with its statements."""

    url: Text
    split: Text
    annotations: tuple[SpatialSenseStatement, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SpatialSense(Statements, RowBenchmark):
    """Adversarially collected relations, true or false, with the boxes of both objects.

    Published splits divide annotations, so that images of the test were trained on. Here every
    image belongs to one split, by a hash of its address: 70 % train, 10 % valid, 20 % test.
    ``published_split`` takes the original one.
    """

    split: Literal["train", "valid", "test"] = "test"
    published_split: bool = False

    row: ClassVar[type] = SpatialSenseRow

    @property
    def download(self) -> Download:
        """See ``PublishedBenchmark``."""
        place = "https://github.com/princeton-vl/SpatialSense"
        return Download(
            name="SpatialSense",
            parts={"**/annotations.json": place},
            images={"**/images": place},
            images_beside=True,
        )

    def image_folders(self, files: FoundFiles) -> Sequence[Path]:
        """See ``PublishedBenchmark``."""
        return [place for one in files.folders for place in (one, one / "flickr", one / "nyu")]

    def read(self, number: int, row: SpatialSenseRow) -> Iterable[Sample]:
        """See ``RowBenchmark``."""
        own = row.split if self.published_split else split_of(row.url)
        for index, one in enumerate(row.annotations if own == self.split else ()):
            yield Sample(
                id=f"{number}/{index}",
                image=NamedImage(key=row.url.rpartition("/")[2]),
                question=statement(f"{one.subject.name} {one.predicate} {one.object.name}"),
                answers=(TRUE_FALSE[one.label],),
                groundings=(one.subject.grounding, one.object.grounding),
                kind=one.predicate,
                provenance=Provenance(dataset="spatialsense", split=self.split),
            )


def split_of(url: str) -> str:
    """The split of an image: a function of its address alone."""
    address = re.sub(r"^https?://", "", url)
    tenth = hashlib.blake2b(address.encode(), digest_size=4).digest()[0] % 10
    if tenth < TEST_TENTHS:
        return "test"
    return "valid" if tenth < TEST_TENTHS + VALID_TENTHS else "train"
