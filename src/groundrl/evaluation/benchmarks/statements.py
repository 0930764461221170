"""Is the statement true of the image? VSR (arXiv 2205.00363) and SpatialSense (1908.02660)."""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import ClassVar, Literal

from groundrl.answers.attempt import Attempt
from groundrl.answers.options import normalise
from groundrl.evaluation.benchmarks.base import (
    Figures,
    Form,
    QuestionSet,
    ScoredAttempt,
    answer_text,
    by_kind,
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
from groundrl.files import json_lines
from groundrl.records import Grounding, Provenance, Sample

TRUE_WORDS = {"true": True, "yes": True, "false": False, "no": False}
WORDS = {True: "true", False: "false"}
TEST_TENTHS, VALID_TENTHS = 2, 1
"""Of the images of SpatialSense."""


def statement(text: str) -> str:
    """How a statement is put to a model."""
    return f"True or false: {text.rstrip('.')}."


class Statements:
    """What benchmarks of statements have in common.

    ``acc``; ``true_ratio``: share of "true"; ``unparsed``; ``<relation>/acc``.
    """

    __slots__ = ()
    form: ClassVar[Form] = Form.TRUE_FALSE

    def score(self, attempt: Attempt) -> dict[str, float]:
        """Compared by letters and digits; anything but true or false (yes or no) is wrong."""
        found = TRUE_WORDS.get(normalise(answer_text(attempt)))
        right = found is not None and WORDS[found] == attempt.sample.answers[0]
        return {
            "correct": float(right),
            "true": float(found is True),
            "parsed": float(found is not None),
        }

    def figures(self, answered: Sequence[ScoredAttempt]) -> Figures:
        """See the class."""
        return {
            **share("acc", score_column(answered, "correct")),
            **share("true_ratio", score_column(answered, "true")),
            **share("unparsed", 1 - score_column(answered, "parsed")),
            **by_kind(answered),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class VSR(Statements, PublishedBenchmark):
    """Visual Spatial Reasoning: a caption with one spatial relation, true or false.

    The rows' ``subj`` and ``obj`` are damaged in places, so the caption alone is used.
    """

    variant: Literal["zeroshot", "random"] = "zeroshot"
    split: Literal["train", "dev", "test"] = "test"

    sizes: ClassVar[Mapping[str, int]] = {
        **{"zeroshot/train": 3489, "zeroshot/dev": 340, "zeroshot/test": 1222},
        **{"random/train": 7680, "random/dev": 1097, "random/test": 2195},
    }

    @property
    def part(self) -> str:
        """See ``PublishedBenchmark``."""
        return f"{self.variant}/{self.split}"

    def questions(self, images: bool = True) -> QuestionSet:
        """See ``PublishedBenchmark``."""
        file = f"**/{self.part}.jsonl"
        place = f"https://huggingface.co/datasets/cambridgeltl/vsr_{self.variant}"
        download = Download(name="VSR", parts={file: place}, images={COCO_FOLDERS: COCO_PLACE})
        found = download.find(self.root, images)
        path = found[file][0]
        asked = QuestionCollector("VSR", ImageFinder(found[COCO_FOLDERS]), images)
        asked.each(json_lines(path, path.read_bytes()), partial(self._read, asked))
        return asked.questions()

    def _read(self, asked: QuestionCollector, number: int, row: Fields) -> None:
        name = str(number + 1)
        image = asked.image(name, row.text("image"))
        if image is not None:
            asked.add(
                Sample(
                    id=name,
                    image=image,
                    question=statement(row.text("caption")),
                    answers=(WORDS[row.truth("label")],),
                    kind=row.text("relation"),
                    provenance=Provenance(dataset="vsr", split=self.split, licence="Apache-2.0"),
                )
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class SpatialSense(Statements, PublishedBenchmark):
    """Adversarially collected relations, true or false, with the boxes of both objects.

    Published splits divide annotations, so that images of the test were trained on. Here every
    image belongs to one split, by a hash of its address: 70 % train, 10 % valid, 20 % test.
    ``published_split`` takes the original one.
    """

    split: Literal["train", "valid", "test"] = "test"
    published_split: bool = False

    def questions(self, images: bool = True) -> QuestionSet:
        """See ``PublishedBenchmark``."""
        place = "https://github.com/princeton-vl/SpatialSense"
        download = Download(
            name="SpatialSense",
            parts={"**/annotations.json": place},
            images={"**/images": place},
        )
        found = download.find(self.root, images)
        path, folders = pick_beside(found["**/annotations.json"], found["**/images"])
        where = [place for one in folders for place in (one, one / "flickr", one / "nyu")]
        asked = QuestionCollector("SpatialSense", ImageFinder(where), images)
        asked.each(with_places(path, read_json(path)), partial(self._read, asked))
        return asked.questions()

    def _read(self, asked: QuestionCollector, index: int, row: Fields) -> None:
        url, split, annotations = row.text("url"), row.text("split"), row.inners("annotations")
        own = split if self.published_split else split_of(url)
        for number, one in enumerate(annotations if own == self.split else ()):
            name = f"{index}/{number}"
            subject, thing = one.inner("subject"), one.inner("object")
            predicate = one.text("predicate")
            text = statement(f"{subject.text('name')} {predicate} {thing.text('name')}")
            boxes = (_grounding(subject), _grounding(thing))
            answer = WORDS[one.truth("label")]
            image = asked.image(name, url.rpartition("/")[2])
            if image is not None:
                asked.add(
                    Sample(
                        id=name,
                        image=image,
                        question=text,
                        answers=(answer,),
                        groundings=boxes,
                        kind=predicate,
                        provenance=Provenance(dataset="spatialsense", split=self.split),
                    )
                )


def split_of(url: str) -> str:
    """The split of an image: a function of its address alone."""
    address = re.sub(r"^https?://", "", url)
    tenth = hashlib.blake2b(address.encode(), digest_size=4).digest()[0] % 10
    if tenth < TEST_TENTHS:
        return "test"
    return "valid" if tenth < TEST_TENTHS + VALID_TENTHS else "train"


def _grounding(row: Fields) -> Grounding:
    """Boxes are written as y0, y1, x0, x1."""
    y1, y2, x1, x2 = row.four("bbox")
    return Grounding(label=row.text("name"), box=pixel_corners(x1, y1, x2, y2))
