"""Rel3D (arXiv 2012.01634): minimally contrastive relations in depth."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from groundrl.boxes import Box
from groundrl.evaluation.benchmarks.files import (
    Download,
    FoundFiles,
    Truth,
    pixel_box,
    read_json,
    with_places,
)
from groundrl.evaluation.benchmarks.published import RowBenchmark
from groundrl.evaluation.benchmarks.statements import Statements
from groundrl.json_rows import Number, Text, Whole
from groundrl.questions.verdicts import TRUE_FALSE, statement
from groundrl.records import Grounding, ImageFile, NamedImage, Provenance, Sample
from groundrl.world.quarters import AUGMENTED, FourQuarters, four_quarters

if TYPE_CHECKING:
    from PIL.Image import Image

SIDE = 448
"""Pixels of the four-quarter image, as published ("Visual Reasoning", study 3)."""
PLACE = "https://github.com/princeton-vl/Rel3D#download-datasets-and-pre-trained-models"


@dataclass(frozen=True, slots=True, kw_only=True)
class QuarteredFiles(FourQuarters):
    """An image file with its depth and two boxes."""

    rgb: ImageFile
    depth: ImageFile

    @property
    def key(self) -> str:
        """The files and the boxes."""
        return f"quarters:{self.side}:{self.rgb.key}:{[box.corners for box in self.boxes]}"

    def load(self) -> "Image":
        """Decoded RGB pixels; depth is stretched to 8 bits."""
        from PIL import Image

        with Image.open(self.depth.path) as file:
            far = np.asarray(file.convert("F"))
        grey = 255 * (far - far.min()) / max(float(np.ptp(far)), 1e-9)
        depth = Image.fromarray(grey.astype(np.uint8))
        return four_quarters(self.rgb.load(), depth, self.boxes, self.side)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rel3DBox:
    """In pixels."""

    left: Number
    top: Number
    width: Number
    height: Number


@dataclass(frozen=True, slots=True, kw_only=True)
class Rel3DObject:
    """One of the two objects."""

    name: Text
    bbox: Rel3DBox

    @property
    def grounding(self) -> Grounding:
        """The object with its box. Raises ValueError for a box of negative size."""
        box = self.bbox
        corners = pixel_box(box.left, box.top, box.left + box.width, box.top + box.height)
        return Grounding(label=self.name, box=corners)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rel3DRow:
    """A statement. Paths start at the repository of its authors."""

    rgb: Text
    depth: Text
    width: Whole
    height: Whole
    subject: Rel3DObject
    object: Rel3DObject
    predicate: Text
    label: Truth


@dataclass(frozen=True, slots=True, kw_only=True)
class Rel3D(Statements, RowBenchmark):
    """A statement about two objects, true or false; exactly half of each predicate is true.

    ``augmented``: the image shows four quarters, RGB, depth and a filled mask of either box, and
    the question explains them, in training and evaluation alike.
    """

    split: Literal["train", "valid", "test"] = "test"
    augmented: bool = True

    row: ClassVar[type] = Rel3DRow
    sizes: ClassVar[Mapping[str, int]] = {"train": 20454, "valid": 2138, "test": 4744}

    @property
    def part(self) -> str:
        """See ``PublishedBenchmark``."""
        return self.split

    @property
    def download(self) -> Download:
        """See ``PublishedBenchmark``."""
        return Download(
            name="Rel3D", parts={"**/c_0.9_c_0.1.json": PLACE}, images={"**/20200223": PLACE}
        )

    def image_folders(self, files: FoundFiles) -> Sequence[Path]:
        """See ``PublishedBenchmark``."""
        return [place for one in files.folders for place in (one, *one.parents[:2])]

    def rows(self, files: FoundFiles) -> Iterable[tuple[str, Any]]:
        """See ``RowBenchmark``."""
        return with_places(files.parts[0], read_json(files.parts[0]), self.split)

    def read(self, number: int, row: Rel3DRow) -> Iterable[Sample]:
        """See ``RowBenchmark``; the depth map is a second image, until ``complete``."""
        rgb, depth = (
            NamedImage(key=_path_inside(name), width=row.width, height=row.height)
            for name in (row.rgb, row.depth)
        )
        yield Sample(
            id=str(number),
            image=rgb,
            context_images=(depth,),
            question=statement(f"{row.subject.name} {row.predicate} {row.object.name}"),
            answers=(TRUE_FALSE[row.label],),
            groundings=(row.subject.grounding, row.object.grounding),
            kind=row.predicate,
            provenance=Provenance(dataset="rel3d", split=self.split),
        )

    def complete(self, sample: Sample) -> Sample:
        """The question about the four quarters; the true boxes lie where the scene is shown, in
        the first quarter."""
        rgb, (depth,) = sample.image, sample.context_images
        if not self.augmented:
            return replace(sample, context_images=())
        subject, thing = sample.groundings
        if isinstance(rgb, ImageFile) and isinstance(depth, ImageFile):
            boxes = (subject.box, thing.box)
            image = QuarteredFiles(rgb=rgb, depth=depth, boxes=boxes, side=SIDE)
        else:
            image = NamedImage(key=f"quarters:{rgb.key}", width=SIDE, height=SIDE)
        scale = (SIDE / 2 / rgb.width, SIDE / 2 / rgb.height)
        return replace(
            sample,
            image=image,
            context_images=(),
            question=f"{AUGMENTED} {sample.question}",
            groundings=(_scaled(subject, *scale), _scaled(thing, *scale)),
        )


def _path_inside(name: str, folder: str = "20200223") -> str:
    """The path below ``folder``."""
    parts = Path(name).parts
    return "/".join(parts[parts.index(folder) + 1 :]) if folder in parts else Path(name).name


def _scaled(one: Grounding, x: float, y: float) -> Grounding:
    box: Box = one.box
    return replace(one, box=pixel_box(box.x1 * x, box.y1 * y, box.x2 * x, box.y2 * y))
