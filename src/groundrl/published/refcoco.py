"""Referring expressions: RefCOCO, RefCOCO+ and RefCOCOg (arXiv 1608.00272, 1511.02283)."""

import pickle
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Final, Literal

from groundrl.boxes import Box
from groundrl.data.problems import Problems
from groundrl.errors import UserError
from groundrl.files import read_json
from groundrl.json_rows import Corners, Text, Whole, read_rows, validate
from groundrl.published.files import (
    COCO_IMAGES,
    Download,
    FoundFiles,
    pixel_box,
    with_places,
)
from groundrl.published.reader import PublishedReader, Target
from groundrl.records import Form, Grounding, NamedImage, Provenance, Sample

COLUMNS: Final = ("question_id", "answer", "bbox", "file_name", "image")
SOURCE: Final = "https://github.com/lichengunc/refer"


class PlainUnpickler(pickle.Unpickler):
    """Lists, dicts, texts and numbers only: a downloaded pickle must not run code."""

    def find_class(self, module_name: str, global_name: str, /) -> Any:
        """Raises UnpicklingError for everything that has a class."""
        raise pickle.UnpicklingError(f"it holds a {module_name}.{global_name}")


@dataclass(frozen=True, slots=True, kw_only=True)
class RefSentence:
    """An expression."""

    sent_id: Whole
    sent: Text


@dataclass(frozen=True, slots=True, kw_only=True)
class RefRow:
    """An object of ``refs(...).p`` with its expressions."""

    ann_id: Whole
    file_name: Text
    split: Text
    sentences: tuple[RefSentence, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RefAnnotation:
    """An object of ``instances.json``."""

    id: Whole
    bbox: Corners
    """x, y, width, height."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RefTableRow:
    """An object with its expressions, beside its image."""

    question_id: Text
    answer: tuple[Text, ...]
    """The expressions; the question asks for one of them."""
    bbox: Corners
    """x, y, width, height in pixels."""
    file_name: Text


@dataclass(frozen=True, slots=True, kw_only=True)
class RefCOCOReader(PublishedReader):
    """Where is it? One box for each expression."""

    dataset: Literal["refcoco", "refcoco+", "refcocog"]
    split: str
    """train, val, testA or testB; of refcocog train, val or test."""
    partition: Literal["unc", "umd"] = "unc"
    """Who divided the images: unc; of refcocog umd."""

    form: ClassVar[Form] = Form.BOX
    targets: ClassVar[tuple[Target, ...]] = ("boxed_rationale",)
    sizes: ClassVar[Mapping[str, int]] = {
        **{"refcoco/unc/val": 10834, "refcoco/unc/testA": 5657, "refcoco/unc/testB": 5095},
        **{"refcoco+/unc/val": 10758, "refcoco+/unc/testA": 5726, "refcoco+/unc/testB": 4889},
        **{"refcocog/umd/val": 4896, "refcocog/umd/test": 9602},
    }

    @property
    def part(self) -> str:
        """See ``PublishedReader``."""
        return f"{self.dataset}/{self.partition}/{self.split}"

    @property
    def download(self) -> Download:
        """See ``PublishedReader``."""
        names = (f"refs({self.partition}).p", "instances.json")
        parts = {f"**/{self.dataset}/{name}": f"{SOURCE}#download" for name in names}
        return Download(
            name=self.dataset, parts=parts, images=COCO_IMAGES, columns=COLUMNS, world="world_rec"
        )

    def samples(self, files: FoundFiles, problems: Problems) -> Iterator[Sample]:
        """Every expression of the split, with the box of its object."""
        refs, instances = files.parts
        boxes = _read_boxes(instances, problems)
        problems.raise_if_any()
        for where, row in read_rows(with_places(refs, _read_refs(refs)), RefRow, problems.add):
            if row.split != self.split:
                continue
            if row.ann_id not in boxes:
                problems.add(where, f"ann_id {row.ann_id} is not in {instances.name}")
                continue
            # "COCO_train2014_000000581857_16.jpg": the last number tells objects apart.
            head, _, tail = row.file_name.rpartition("_")
            short = len(tail.removesuffix(".jpg")) < 12
            for one in row.sentences:
                image = f"{head}.jpg" if short else row.file_name
                yield self._question(str(one.sent_id), image, one.sent, boxes[row.ann_id])

    @property
    def table_splits(self) -> tuple[str, ...]:
        """See ``PublishedReader``."""
        return (f"{self.split}-", self.split)

    def read_table(self, number: int, row: Mapping[str, Any]) -> Iterable[Sample]:
        """See ``PublishedReader``."""
        found = validate(RefTableRow, row)
        x, y, width, height = found.bbox
        box = pixel_box(x, y, x + width, y + height)
        for index, expression in enumerate(found.answer):
            yield self._question(
                f"{found.question_id}/{number}/{index}", found.file_name, expression, box
            )

    def _question(self, id: str, image: str, expression: str, box: Box) -> Sample:
        meant = Grounding(label=expression, box=box)
        return Sample(
            id=id,
            image=NamedImage(key=image),
            question=f"Where is this: {expression}?",
            groundings=(meant,),
            rationale=("This is what is meant: ", meant, "."),
            kind="locate",
            provenance=Provenance(dataset=self.dataset, split=self.split, source=SOURCE),
        )


DAMAGED: Final = (
    *(pickle.UnpicklingError, EOFError, ValueError, LookupError, TypeError, AttributeError),
    *(ImportError, ArithmeticError, MemoryError),
)
"""What pickle raises about wrong bytes; its documentation names no complete list."""


def _read_refs(path: Path) -> Any:
    try:
        with path.open("rb") as file:
            return PlainUnpickler(file, encoding="latin1").load()
    except DAMAGED as error:
        raise UserError(f"{path} is not the published file: {error}") from error


def _read_boxes(path: Path, problems: Problems) -> dict[int, Box]:
    """Annotation id -> box."""
    boxes: dict[int, Box] = {}
    rows = with_places(path, read_json(path), "annotations")
    for where, one in read_rows(rows, RefAnnotation, problems.add):
        x, y, width, height = one.bbox
        try:
            boxes[one.id] = pixel_box(x, y, x + width, y + height)
        except ValueError as error:
            problems.add(where, str(error))
    return boxes
