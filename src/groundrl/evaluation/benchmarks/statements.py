"""Is the statement true of the picture? VSR (arXiv 2205.00363) and SpatialSense (1908.02660)."""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from groundrl.evaluation.benchmarks.base import (
    Answered,
    Figures,
    Form,
    Questions,
    by_kind,
    column,
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
    read_jsonl,
)
from groundrl.grammar.answers import normalise
from groundrl.records import Grounding, ImageFile, Provenance, Sample
from groundrl.rewards.base import Attempt

TRUE_WORDS = {"true": True, "yes": True, "false": False, "no": False}
WORDS = {True: "true", False: "false"}
TEST_TENTHS, VALID_TENTHS = 2, 1
"""Of the pictures of SpatialSense."""


def statement(text: str) -> str:
    """How a statement is put to a model."""
    return f"True or false: {text.rstrip('.')}."


def statement_scores(attempt: Attempt) -> dict[str, float]:
    """Compared by letters and digits; anything but true or false (yes or no) is wrong."""
    found = TRUE_WORDS.get(normalise(said(attempt)))
    right = found is not None and WORDS[found] == attempt.sample.answers[0]
    return {
        "correct": float(right),
        "true": float(found is True),
        "parsed": float(found is not None),
    }


def statement_figures(answered: Sequence[Answered]) -> Figures:
    """``acc``; ``true_ratio``: share of "true"; ``unparsed``; ``<relation>/acc``."""
    return {
        **share("acc", column(answered, "correct")),
        **share("true_ratio", column(answered, "true")),
        **share("unparsed", 1 - column(answered, "parsed")),
        **by_kind(answered),
    }


class Statements:
    """What benchmarks of statements have in common."""

    __slots__ = ()

    form: ClassVar[Form] = Form.TRUE_FALSE

    def score(self, attempt: Attempt) -> dict[str, float]:
        """See ``statement_scores``."""
        return statement_scores(attempt)

    def figures(self, answered: Sequence[Answered]) -> Figures:
        """See ``statement_figures``."""
        return statement_figures(answered)


@dataclass(frozen=True, slots=True, kw_only=True)
class VSR(Statements, Published):
    """Visual Spatial Reasoning: a caption with one spatial relation, true or false.

    The rows' ``subj`` and ``obj`` are damaged in places, so the caption alone is used.
    """

    variant: Literal["zeroshot", "random"] = "zeroshot"
    split: Literal["train", "dev", "test"] = "test"

    def questions(self) -> Questions:
        """See ``Benchmark``."""
        file = f"**/{self.variant}/{self.split}.jsonl"
        place = f"https://huggingface.co/datasets/cambridgeltl/vsr_{self.variant}"
        found = Download(name="VSR", parts={file: place, COCO_FOLDERS: COCO_PLACE}).find(self.root)
        asked = Asked("VSR", Pictures(found[COCO_FOLDERS]))
        source = Provenance(dataset="vsr", split=self.split, licence="Apache-2.0")
        for number, row in enumerate(read_jsonl(found[file][0]), start=1):
            where = f"{found[file][0]}:{number}"
            picture, caption, label, relation = fields(
                row, ("image", "caption", "label", "relation"), where
            )
            image = asked.picture(str(number), picture)
            if image is not None:
                asked.add(
                    Sample(
                        id=str(number),
                        image=image,
                        question=statement(caption),
                        answers=(WORDS[bool(label)],),
                        kind=relation,
                        provenance=source,
                    )
                )
        return asked.questions()


@dataclass(frozen=True, slots=True, kw_only=True)
class SpatialSense(Statements, Published):
    """Adversarially collected relations, true or false, with the boxes of both objects.

    Published splits divide annotations, so that pictures of the test were trained on. Here every
    picture belongs to one split, by a hash of its address: 70 % train, 10 % valid, 20 % test.
    ``published_split`` takes the original one.
    """

    split: Literal["train", "valid", "test"] = "test"
    published_split: bool = False

    def questions(self) -> Questions:
        """See ``Benchmark``."""
        place = "https://github.com/princeton-vl/SpatialSense"
        parts = {"**/annotations.json": place, "**/images": place}
        found = Download(name="SpatialSense", parts=parts).find(self.root)
        path, folder = found["**/annotations.json"][0], found["**/images"][0]
        asked = Asked("SpatialSense", Pictures([folder, folder / "flickr", folder / "nyu"]))
        for index, row in enumerate(read_json(path)):
            where = f"{path}: picture {index}"
            url, split, annotations = fields(row, ("url", "split", "annotations"), where)
            own = split if self.published_split else split_of(url)
            for number, annotation in enumerate(annotations if own == self.split else ()):
                name = f"{index}/{number}"
                image = asked.picture(name, url.rpartition("/")[2])
                if image is not None:
                    where = f"{path}: picture {index}, annotation {number}"
                    asked.add(self._sample(name, image, annotation, where))
        return asked.questions()

    def _sample(self, name: str, image: ImageFile, row: Any, where: str) -> Sample:
        subject, predicate, thing, label = fields(
            row, ("subject", "predicate", "object", "label"), where
        )
        return Sample(
            id=name,
            image=image,
            question=statement(f"{subject['name']} {predicate} {thing['name']}"),
            answers=(WORDS[bool(label)],),
            groundings=tuple(_grounding(one) for one in (subject, thing)),
            kind=predicate,
            provenance=Provenance(dataset="spatialsense", split=self.split),
        )


def split_of(url: str) -> str:
    """The split of a picture: a function of its address alone."""
    address = re.sub(r"^https?://", "", url)
    tenth = hashlib.blake2b(address.encode(), digest_size=4).digest()[0] % 10
    if tenth < TEST_TENTHS:
        return "test"
    return "valid" if tenth < TEST_TENTHS + VALID_TENTHS else "train"


def _grounding(row: Any) -> Grounding:
    """Boxes are written as y0, y1, x0, x1."""
    y1, y2, x1, x2 = row["bbox"]
    return Grounding(label=row["name"], box=pixel_corners(x1, y1, x2, y2))
