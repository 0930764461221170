"""RefCOCO, RefCOCO+ and RefCOCOg from their published files (arXiv 1608.00272, 1511.02283)."""

import pickle
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

from groundrl.errors import UserError
from groundrl.evaluation.benchmarks.base import Answered, Figures, Form, Questions
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
from groundrl.evaluation.benchmarks.pointing import pointing_figures, pointing_scores
from groundrl.records import Grounding, ImageFile, Provenance, Sample
from groundrl.rewards.base import Attempt


class PlainUnpickler(pickle.Unpickler):
    """Lists, dicts, texts and numbers only: a downloaded pickle must not run code."""

    def find_class(self, module_name: str, global_name: str, /) -> Any:
        """Raises UnpicklingError for everything that has a class."""
        raise pickle.UnpicklingError(f"it holds a {module_name}.{global_name}")


@dataclass(frozen=True, slots=True, kw_only=True)
class RefCOCO(Published):
    """Where is it? One box for each expression: ``acc_50`` and mean ``iou`` (``pointing``)."""

    dataset: Literal["refcoco", "refcoco+", "refcocog"]
    split: str
    """val, testA or testB; of refcocog val or test."""
    partition: Literal["unc", "umd"] = "unc"
    """Who divided the pictures: unc; of refcocog umd."""
    form: ClassVar[Form] = Form.BOX

    def questions(self) -> Questions:
        """See ``Benchmark``. Every expression is a question."""
        refs = f"**/{self.dataset}/refs({self.partition}).p"
        instances = f"**/{self.dataset}/instances.json"
        place = "https://github.com/lichengunc/refer#download"
        download = Download(
            name=self.dataset,
            parts={refs: place, instances: place, COCO_FOLDERS: COCO_PLACE},
        )
        found = download.find(self.root)
        boxes = _boxes(found[instances][0])
        asked = Asked(self.dataset, Pictures(found[COCO_FOLDERS]))
        for index, row in enumerate(_read_refs(found[refs][0])):
            where = f"{found[refs][0]}: record {index}"
            split, annotation, name, sentences = fields(
                row, ("split", "ann_id", "file_name", "sentences"), where
            )
            if split != self.split:
                continue
            if annotation not in boxes:
                raise UserError(f"{where}: ann_id {annotation} is not in {found[instances][0]}")
            # "COCO_train2014_000000581857_16.jpg": the last number tells objects apart.
            head, _, tail = name.rpartition("_")
            picture = f"{head}.jpg" if len(tail.removesuffix(".jpg")) < 12 else name
            for sentence in sentences:
                key = str(sentence["sent_id"])
                image = asked.picture(key, picture)
                if image is not None:
                    asked.add(self._sample(key, image, sentence["sent"], boxes[annotation]))
        return asked.questions()

    def _sample(
        self, key: str, image: ImageFile, expression: str, corners: tuple[float, ...]
    ) -> Sample:
        x, y, width, height = corners
        box = pixel_corners(x, y, x + width, y + height)
        return Sample(
            id=key,
            image=image,
            question=f"Where is this: {expression}?",
            groundings=(Grounding(label=expression, box=box),),
            kind="locate",
            provenance=Provenance(dataset=self.dataset, split=self.split),
        )

    def score(self, attempt: Attempt) -> dict[str, float]:
        """See ``pointing_scores``."""
        return pointing_scores(attempt)

    def figures(self, answered: Sequence[Answered]) -> Figures:
        """See ``pointing_figures``."""
        return pointing_figures(answered)


def _read_refs(path: Path) -> list[Any]:
    try:
        with path.open("rb") as file:
            rows = PlainUnpickler(file, encoding="latin1").load()
    except (pickle.UnpicklingError, EOFError, ValueError) as error:
        raise UserError(f"{path} is not the published file: {error}") from error
    if not isinstance(rows, list):
        raise UserError(f"{path}: expected a list of references")
    return rows


def _boxes(path: Path) -> dict[int, tuple[float, ...]]:
    """Annotation id -> x, y, width, height."""
    content = read_json(path)
    (annotations,) = fields(content, ("annotations",), str(path))
    return {row["id"]: tuple(map(float, row["bbox"])) for row in annotations}
