"""SpatialSense (arXiv 1908.02660): adversarially collected spatial relations."""

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Final, Literal

from groundrl.json_rows import Corners, Text
from groundrl.published.files import Download, FoundFiles, Truth, pixel_box
from groundrl.published.reader import RowReader, Target
from groundrl.published.statements import relation_rationale, relation_statement
from groundrl.questions.yes_no import TRUE_FALSE
from groundrl.records import Form, Grounding, NamedImage, Provenance, Sample

SOURCE: Final = "https://github.com/princeton-vl/SpatialSense"
TEST_TENTHS, VALID_TENTHS = 2, 1
"""Of the images."""


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
class SpatialSenseReader(RowReader):
    """A relation between two objects with boxes, true or false.

    Published splits divide annotations, so that images of the test were trained on. Here every
    image belongs to one split, by a hash of its address: 70 % train, 10 % valid, 20 % test.
    ``published_split`` takes the original one.
    """

    split: Literal["train", "valid", "test"] = "test"
    published_split: bool = False

    form: ClassVar[Form] = Form.TRUE_FALSE
    targets: ClassVar[tuple[Target, ...]] = ("answer_only", "rationale", "boxed_rationale")
    row: ClassVar[type] = SpatialSenseRow

    @property
    def download(self) -> Download:
        """See ``PublishedReader``."""
        return Download(
            name="SpatialSense",
            parts={"**/annotations.json": SOURCE},
            images={"**/images": SOURCE},
            images_beside=True,
            world="world_vsr",
        )

    def image_folders(self, files: FoundFiles) -> Sequence[Path]:
        """See ``PublishedReader``."""
        return [place for one in files.folders for place in (one, one / "flickr", one / "nyu")]

    def read(self, number: int, row: SpatialSenseRow) -> Iterable[Sample]:
        """See ``RowReader``."""
        own = row.split if self.published_split else split_of(row.url)
        for index, one in enumerate(row.annotations if own == self.split else ()):
            pair = one.subject.grounding, one.object.grounding
            yield Sample(
                id=f"{number}/{index}",
                image=NamedImage(key=row.url.rpartition("/")[2]),
                question=relation_statement(pair[0], one.predicate, pair[1]),
                answers=(TRUE_FALSE[one.label],),
                groundings=pair,
                rationale=relation_rationale(pair[0], one.predicate, pair[1], holds=one.label),
                kind=one.predicate,
                provenance=Provenance(dataset="spatialsense", split=self.split, source=SOURCE),
            )


def split_of(url: str) -> str:
    """The split of an image: a function of its address alone."""
    address = re.sub(r"^https?://", "", url)
    tenth = hashlib.blake2b(address.encode(), digest_size=4).digest()[0] % 10
    if tenth < TEST_TENTHS:
        return "test"
    return "valid" if tenth < TEST_TENTHS + VALID_TENTHS else "train"
