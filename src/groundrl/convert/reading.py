"""Samples of a file or folder in any format that training reads."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from groundrl.boxes import Frame
from groundrl.data.datasets import SampleSource, sample_file
from groundrl.data.detection.base import AnnotatedImage, DetectionSet, Layout
from groundrl.data.detection.coco import CocoLayout
from groundrl.data.detection.cvat import CvatLayout
from groundrl.data.detection.label_studio import LabelStudioLayout
from groundrl.data.detection.labelme import LabelMeLayout
from groundrl.data.detection.open_images import OpenImagesLayout
from groundrl.data.detection.voc import VocLayout
from groundrl.data.detection.yolo import YoloLayout
from groundrl.data.formats.base import RowFormat
from groundrl.data.formats.conversations import ConversationRows, PromptRows
from groundrl.data.formats.ms_swift import MsSwiftRows
from groundrl.data.formats.table import TableRows
from groundrl.data.formats.visual_genome import VisualGenomeRows
from groundrl.data.tables.files import Table
from groundrl.data.tables.hub import open_table
from groundrl.data.tables.reader import Resize
from groundrl.data.tables.samples import RowCheck
from groundrl.data.tables.table_reader import TableReading
from groundrl.errors import UserError
from groundrl.records import Provenance, Sample

FORMATS: Final[Mapping[str, RowFormat]] = {
    "ms_swift": MsSwiftRows(),
    "conversations": ConversationRows(),
    "trl": PromptRows(),
    "visual_genome": VisualGenomeRows(),
    "table": TableRows(),
}
"""Row formats, the first that recognises the columns reads them: those of conf/data/hub.yaml."""
LAYOUTS: Final[Mapping[str, Layout]] = {
    "voc": VocLayout(),
    "coco": CocoLayout(),
    "yolo": YoloLayout(),
    "label_studio": LabelStudioLayout(),
    "cvat": CvatLayout(),
    "labelme": LabelMeLayout(),
    "open_images": OpenImagesLayout(),
}
OWN: Final = "ours"
OWN_COLUMNS: Final = frozenset({"id", "image", "question", "provenance"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """What is converted, as the command line names it."""

    path: Path
    read: str | None = None
    """ours, a key of ``FORMATS`` or of ``LAYOUTS``; None: what the path looks like."""
    split: str | None = None
    images: str | None = None
    frame: Frame | None = None
    config: str | None = None
    """Which table, of a folder with several."""
    columns: Mapping[str, str | None] = field(default_factory=dict)
    """Part of a question -> its column, for those that are named by hand."""
    number_rows: bool = False
    check: RowCheck = field(default_factory=lambda: RowCheck(limit=None))
    """Rows to leave out; all are looked at before the first is written."""

    def samples(self) -> SampleSource | list[Sample]:
        """Raises UserError that lists everything wrong with the data set."""
        known = (OWN, *FORMATS, *LAYOUTS)
        if self.read is not None and self.read not in known:
            raise UserError(f"read={self.read} is unknown: type one of {', '.join(known)}")
        layout, skip = self._layout(), self.check.skip_unreadable
        if layout is not None:
            found = layout.read(self.path, self.split, images=self.images, skip_unreadable=skip)
            return list(located(found))
        if self.read == OWN:
            return self._own()
        split = self.split or "train"
        table = open_table(str(self.path), split, config=self.config, stream_rows=None)
        if self.read is None and _is_own(table):
            return self._own()
        reading = TableReading(
            formats=FORMATS,
            format=self.read,
            columns=self.columns,
            images=self.images,
            frame=None if self.frame is None else self.frame.value,
            resize=Resize(),
            number_rows=self.number_rows,
            check=self.check,
        )
        return reading.read(table, split)

    def _own(self) -> SampleSource:
        return sample_file(self.path, "skip" if self.check.skip_unreadable else "error")

    def _layout(self) -> Layout | None:
        if self.read in LAYOUTS:
            return LAYOUTS[self.read]
        if self.read is None and self.path.is_dir():
            return next((one for one in LAYOUTS.values() if one.recognises(self.path)), None)
        return None


def _is_own(table: Table) -> bool:
    try:
        return len(table) > 0 and table.row(0).keys() >= OWN_COLUMNS
    except ValueError:  # reading the rows reports it
        return False


def located(detections: DetectionSet) -> Iterator[Sample]:
    """For each image with boxes one sample that asks for all of them."""
    for image in detections.images:
        if image.groundings:
            yield Sample(
                id=image.id,
                image=image.image,
                question=f"Where is every {' and every '.join(_names(image))}?",
                groundings=image.groundings,
                kind="locate",
                provenance=Provenance(
                    dataset=detections.name,
                    split=detections.split,
                    licence=image.licence or "unknown",
                ),
            )


def _names(image: AnnotatedImage) -> Iterable[str]:
    return dict.fromkeys(item.label for item in image.groundings)
