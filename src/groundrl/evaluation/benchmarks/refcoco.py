"""RefCOCO, RefCOCO+ and RefCOCOg from their published files (arXiv 1608.00272, 1511.02283)."""

import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

from groundrl.boxes import Box
from groundrl.errors import UserError
from groundrl.evaluation.benchmarks.base import QuestionSet
from groundrl.evaluation.benchmarks.files import (
    COCO_FOLDERS,
    COCO_PLACE,
    Download,
    ImageFinder,
    PublishedBenchmark,
    QuestionCollector,
    pixel_corners,
    read_json,
    with_places,
)
from groundrl.evaluation.benchmarks.pointing import Pointing
from groundrl.fields import Fields
from groundrl.records import Grounding, Provenance, Sample


class PlainUnpickler(pickle.Unpickler):
    """Lists, dicts, texts and numbers only: a downloaded pickle must not run code."""

    def find_class(self, module_name: str, global_name: str, /) -> Any:
        """Raises UnpicklingError for everything that has a class."""
        raise pickle.UnpicklingError(f"it holds a {module_name}.{global_name}")


@dataclass(frozen=True, slots=True, kw_only=True)
class RefCOCO(Pointing, PublishedBenchmark):
    """Where is it? One box for each expression: ``acc_50`` and mean ``iou`` (``Pointing``)."""

    dataset: Literal["refcoco", "refcoco+", "refcocog"]
    split: str
    """val, testA or testB; of refcocog val or test."""
    partition: Literal["unc", "umd"] = "unc"
    """Who divided the images: unc; of refcocog umd."""

    sizes: ClassVar[Mapping[str, int]] = {
        **{"refcoco/unc/val": 10834, "refcoco/unc/testA": 5657, "refcoco/unc/testB": 5095},
        **{"refcoco+/unc/val": 10758, "refcoco+/unc/testA": 5726, "refcoco+/unc/testB": 4889},
        **{"refcocog/umd/val": 4896, "refcocog/umd/test": 9602},
    }

    @property
    def part(self) -> str:
        """See ``PublishedBenchmark``."""
        return f"{self.dataset}/{self.partition}/{self.split}"

    def questions(self, images: bool = True) -> QuestionSet:
        """See ``PublishedBenchmark``. Every expression is a question."""
        refs = f"**/{self.dataset}/refs({self.partition}).p"
        instances = f"**/{self.dataset}/instances.json"
        place = "https://github.com/lichengunc/refer#download"
        download = Download(
            name=self.dataset,
            parts={refs: place, instances: place},
            images={COCO_FOLDERS: COCO_PLACE},
        )
        found = download.find(self.root, images)
        asked = QuestionCollector(self.dataset, ImageFinder(found[COCO_FOLDERS]), images)
        boxes = _boxes(found[instances][0], asked)
        rows = with_places(found[refs][0], _read_refs(found[refs][0]))
        asked.each(rows, lambda _, row: self._read(row, boxes, asked))
        return asked.questions()

    def _read(self, row: Fields, boxes: Mapping[int, Box], asked: QuestionCollector) -> None:
        annotation, name = row.whole("ann_id"), row.text("file_name")
        if row.text("split") != self.split:
            return
        if annotation not in boxes:
            raise ValueError(f"ann_id {annotation} is not in instances.json")
        # "COCO_train2014_000000581857_16.jpg": the last number tells objects apart.
        head, _, tail = name.rpartition("_")
        file_name = f"{head}.jpg" if len(tail.removesuffix(".jpg")) < 12 else name
        for sentence in row.inners("sentences"):
            key, expression = str(sentence.whole("sent_id")), sentence.text("sent")
            image = asked.image(key, file_name)
            if image is not None:
                asked.add(
                    Sample(
                        id=key,
                        image=image,
                        question=f"Where is this: {expression}?",
                        groundings=(Grounding(label=expression, box=boxes[annotation]),),
                        kind="locate",
                        provenance=Provenance(dataset=self.dataset, split=self.split),
                    )
                )


def _read_refs(path: Path) -> Any:
    try:
        with path.open("rb") as file:
            return PlainUnpickler(file, encoding="latin1").load()
    except (pickle.UnpicklingError, EOFError, ValueError) as error:
        raise UserError(f"{path} is not the published file: {error}") from error


def _boxes(path: Path, asked: QuestionCollector) -> dict[int, Box]:
    """Annotation id -> box, written as x, y, width, height."""
    found: dict[int, Box] = {}

    def read(_: int, row: Fields) -> None:
        x, y, width, height = row.four("bbox")
        found[row.whole("id")] = pixel_corners(x, y, x + width, y + height)

    asked.each(with_places(path, read_json(path), "annotations"), read)
    return found
