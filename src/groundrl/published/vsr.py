"""Visual Spatial Reasoning (arXiv 2205.00363): captions with one spatial relation."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final, Literal

from groundrl.json_rows import Text, validate
from groundrl.published.files import COCO_IMAGES, Download, Truth
from groundrl.published.reader import RowReader
from groundrl.questions.yes_no import TRUE_FALSE, statement
from groundrl.records import Form, NamedImage, Provenance, Sample

TABLE_SPLITS: Final = {"train": ("train",), "dev": ("dev", "validation"), "test": ("test",)}


@dataclass(frozen=True, slots=True, kw_only=True)
class VSRRow:
    """A caption about an image. Its ``subj`` and ``obj`` are damaged in places and not read."""

    image: Text
    caption: Text
    label: Truth
    relation: Text


@dataclass(frozen=True, slots=True, kw_only=True)
class VSRReader(RowReader):
    """A caption with one spatial relation, true or false.

    Images of one split recur in another: a few of "zeroshot", which divides concepts, and half of
    those of "random".
    """

    variant: Literal["zeroshot", "random"] = "zeroshot"
    split: Literal["train", "dev", "test"] = "test"

    form: ClassVar[Form] = Form.TRUE_FALSE
    row: ClassVar[type] = VSRRow
    sizes: ClassVar[Mapping[str, int]] = {
        **{"zeroshot/train": 3489, "zeroshot/dev": 340, "zeroshot/test": 1222},
        **{"random/train": 7680, "random/dev": 1097, "random/test": 2195},
    }

    @property
    def part(self) -> str:
        """See ``PublishedReader``."""
        return f"{self.variant}/{self.split}"

    @property
    def source(self) -> str:
        """Where it is published."""
        return f"https://huggingface.co/datasets/cambridgeltl/vsr_{self.variant}"

    @property
    def download(self) -> Download:
        """See ``PublishedReader``."""
        parts = {f"**/{self.part}.jsonl": self.source}
        columns = ("image", "caption", "label", "relation")
        return Download(
            name="VSR", parts=parts, images=COCO_IMAGES, columns=columns, world="world_vsr"
        )

    @property
    def table_splits(self) -> tuple[str, ...]:
        """See ``PublishedReader``."""
        return TABLE_SPLITS[self.split]

    def read_table(self, number: int, row: Mapping[str, Any]) -> Iterable[Sample]:
        """See ``PublishedReader``; the image is the name of a file, or stands in the row."""
        image = row["image"] if isinstance(row["image"], str) else ""
        return self.read(number, validate(VSRRow, {**row, "image": image}))

    def read(self, number: int, row: VSRRow) -> Iterable[Sample]:
        """See ``RowReader``."""
        yield Sample(
            id=str(number + 1),
            image=NamedImage(key=row.image),
            question=statement(row.caption),
            answers=(TRUE_FALSE[row.label],),
            kind=row.relation,
            provenance=Provenance(
                dataset="vsr", split=self.split, licence="Apache-2.0", source=self.source
            ),
        )
