"""Rel3D (arXiv 2012.01634): minimally contrastive relations in depth."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np

from groundrl.boxes import Box
from groundrl.evaluation.benchmarks.base import QuestionSet
from groundrl.evaluation.benchmarks.files import (
    AnyImage,
    Download,
    ImageFinder,
    PublishedBenchmark,
    QuestionCollector,
    pixel_corners,
    read_json,
    with_places,
)
from groundrl.evaluation.benchmarks.statements import WORDS, Statements, statement
from groundrl.fields import Fields
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
    side: int = SIDE

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
class Rel3D(Statements, PublishedBenchmark):
    """A statement about two objects, true or false; exactly half of each predicate is true.

    ``augmented``: the image shows four quarters, RGB, depth and a filled mask of either box, and
    the question says so, in training and evaluation alike.
    """

    split: Literal["train", "valid", "test"] = "test"
    augmented: bool = True

    sizes: ClassVar[Mapping[str, int]] = {"train": 20454, "valid": 2138, "test": 4744}

    @property
    def part(self) -> str:
        """See ``PublishedBenchmark``."""
        return self.split

    def questions(self, images: bool = True) -> QuestionSet:
        """See ``PublishedBenchmark``."""
        file, folders = "**/c_0.9_c_0.1.json", "**/20200223"
        download = Download(name="Rel3D", parts={file: PLACE}, images={folders: PLACE})
        found = download.find(self.root, images)
        path = found[file][0]
        # Paths in the file start at the repository of its authors.
        where = [place for one in found[folders] for place in (one, *one.parents[:2])]
        asked = QuestionCollector("Rel3D", ImageFinder(where), images)
        rows = with_places(path, read_json(path), self.split)
        asked.each(rows, partial(self._read, asked))
        return asked.questions()

    def _read(self, asked: QuestionCollector, index: int, row: Fields) -> None:
        subject, thing = row.inner("subject"), row.inner("object")
        predicate, answer = row.text("predicate"), WORDS[row.truth("label")]
        boxes = _box(subject.inner("bbox")), _box(thing.inner("bbox"))
        names = subject.text("name"), thing.text("name")
        rgb = asked.image(str(index), _inside(row.text("rgb")))
        depth = None if rgb is None else asked.image(str(index), _inside(row.text("depth")))
        if rgb is None or depth is None:
            return
        text = statement(f"{names[0]} {predicate} {names[1]}")
        image: AnyImage | QuarteredFiles = rgb
        shown = boxes
        if self.augmented:
            text = f"{AUGMENTED} {text}"
            if isinstance(rgb, NamedImage) or isinstance(depth, NamedImage):
                image = NamedImage(key=f"quarters:{rgb.key}", width=SIDE, height=SIDE)
            else:
                image = QuarteredFiles(rgb=rgb, depth=depth, boxes=boxes)
            # The truth lies where the scene is shown: in the first quarter.
            width, height = row.whole("width"), row.whole("height")
            sx, sy = SIDE / 2 / (rgb.width or width), SIDE / 2 / (rgb.height or height)
            shown = tuple(pixel_corners(b.x1 * sx, b.y1 * sy, b.x2 * sx, b.y2 * sy) for b in boxes)
        asked.add(
            Sample(
                id=str(index),
                image=image,
                question=text,
                answers=(answer,),
                groundings=tuple(
                    Grounding(label=name, box=box) for name, box in zip(names, shown, strict=True)
                ),
                kind=predicate,
                provenance=Provenance(dataset="rel3d", split=self.split),
            )
        )


def _inside(name: str, folder: str = "20200223") -> str:
    """The path below ``folder``."""
    parts = Path(name).parts
    return "/".join(parts[parts.index(folder) + 1 :]) if folder in parts else Path(name).name


def _box(row: Fields) -> Box:
    left, top = row.number("left"), row.number("top")
    return pixel_corners(left, top, left + row.number("width"), top + row.number("height"))
