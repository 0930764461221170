"""Referring expressions: RefCOCO, RefCOCO+ and RefCOCOg (arXiv 1608.00272, 1511.02283)."""

import pickle
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

from groundrl.answers.attempt import Attempt
from groundrl.boxes import Box, iou
from groundrl.data.problems import Problems
from groundrl.errors import UserError
from groundrl.evaluation.benchmarks.base import (
    Figures,
    Form,
    ScoredAttempt,
    image_keys,
    mean,
    score_column,
    share,
)
from groundrl.evaluation.benchmarks.files import (
    COCO_IMAGES,
    Download,
    FoundFiles,
    pixel_box,
    read_json,
    with_places,
)
from groundrl.evaluation.benchmarks.published import PublishedBenchmark
from groundrl.evaluation.grounding import HIT_IOU
from groundrl.figures import FigureInfo, FigureInfos
from groundrl.json_rows import Corners, Text, Whole, read_rows
from groundrl.records import Grounding, NamedImage, Provenance, Sample


def declared_box(attempt: Attempt) -> Box | None:
    """The one box that an answer declares, never the best of several.

    The only box outside the reasoning; without any, the only box of the reasoning; else None.
    """
    thought = [p.box for p in attempt.parsed.reasoning if isinstance(p, Grounding)]
    concluded = list((Counter(attempt.predicted_boxes) - Counter(thought)).elements())
    chosen = concluded or thought
    return chosen[0] if len(chosen) == 1 else None


class Pointing:
    """RefCOCO's protocol: the IoU of the one box that an answer declares with the true one."""

    __slots__ = ()
    form: ClassVar[Form] = Form.BOX
    figure_infos: ClassVar[FigureInfos] = {
        "acc_50": FigureInfo(
            meaning="Share of answers whose declared box has IoU >= 0.5 with the true one.",
            quoted=True,
            score="correct",
        ),
        "iou": FigureInfo(meaning="Mean IoU of the declared box; 0 without one.", score="box_iou"),
        "no_box": FigureInfo(
            meaning="Share of answers without a box where one was asked for.",
            alarm_from=0.5,
            alarm="of the answers point at nothing",
        ),
        "several_boxes": FigureInfo(meaning="Share of answers that declare no single box."),
    }

    def score(self, attempt: Attempt) -> dict[str, float]:
        """IoU of the declared box with the true one; 0 without a declared box."""
        box = declared_box(attempt)
        value = 0.0 if box is None else iou(box, attempt.sample.groundings[0].box)
        return {
            "correct": float(value >= HIT_IOU),
            "box_iou": value,
            "none": float(not attempt.predicted_boxes),
            "several": float(box is None and bool(attempt.predicted_boxes)),
        }

    def figures(self, answered: Sequence[ScoredAttempt]) -> Figures:
        """See ``figure_infos``."""
        return {
            **share("acc_50", score_column(answered, "correct")),
            **mean("iou", score_column(answered, "box_iou"), image_keys(answered)),
            **share("no_box", score_column(answered, "none")),
            **share("several_boxes", score_column(answered, "several")),
        }


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
class RefCOCO(Pointing, PublishedBenchmark):
    """Where is it? One box for each expression."""

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

    @property
    def download(self) -> Download:
        """See ``PublishedBenchmark``."""
        place = "https://github.com/lichengunc/refer#download"
        names = (f"refs({self.partition}).p", "instances.json")
        parts = {f"**/{self.dataset}/{name}": place for name in names}
        return Download(name=self.dataset, parts=parts, images=COCO_IMAGES)

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
                yield Sample(
                    id=str(one.sent_id),
                    image=NamedImage(key=f"{head}.jpg" if short else row.file_name),
                    question=f"Where is this: {one.sent}?",
                    groundings=(Grounding(label=one.sent, box=boxes[row.ann_id]),),
                    kind="locate",
                    provenance=Provenance(dataset=self.dataset, split=self.split),
                )


def _read_refs(path: Path) -> Any:
    try:
        with path.open("rb") as file:
            return PlainUnpickler(file, encoding="latin1").load()
    except (pickle.UnpicklingError, EOFError, ValueError) as error:
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
