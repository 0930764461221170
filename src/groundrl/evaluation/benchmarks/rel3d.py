"""Rel3D (arXiv 2012.01634): minimally contrastive relations in depth."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from groundrl.boxes import Box
from groundrl.errors import UserError
from groundrl.evaluation.benchmarks.base import Questions
from groundrl.evaluation.benchmarks.files import (
    Asked,
    Download,
    Pictures,
    Published,
    fields,
    pixel_corners,
    read_json,
)
from groundrl.evaluation.benchmarks.statements import WORDS, Statements, statement
from groundrl.records import Grounding, ImageFile, Provenance, Sample
from groundrl.scenes.quarters import AUGMENTED, four_quarters

if TYPE_CHECKING:
    from PIL.Image import Image

SIDE = 448
"""Pixels of the four-quarter picture, as published ("Visual Reasoning", study 3)."""
PLACE = "https://github.com/princeton-vl/Rel3D#download-datasets-and-pre-trained-models"


@dataclass(frozen=True, slots=True, kw_only=True)
class QuarteredFiles:
    """A picture with its depth and two boxes, put together when it is loaded."""

    rgb: ImageFile
    depth: ImageFile
    boxes: tuple[Box, Box]
    side: int = SIDE

    @property
    def key(self) -> str:
        """The files and the boxes."""
        return f"quarters:{self.side}:{self.rgb.key}:{[box.corners for box in self.boxes]}"

    @property
    def width(self) -> int:
        """Pixels."""
        return self.side

    @property
    def height(self) -> int:
        """Pixels."""
        return self.side

    def load(self) -> "Image":
        """Decoded RGB pixels; depth is stretched to 8 bits."""
        from PIL import Image

        with Image.open(self.depth.path) as file:
            far = np.asarray(file.convert("F"))
        grey = 255 * (far - far.min()) / max(float(np.ptp(far)), 1e-9)
        depth = Image.fromarray(grey.astype(np.uint8))
        return four_quarters(self.rgb.load(), depth, self.boxes, self.side)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rel3D(Statements, Published):
    """A statement about two objects, true or false; exactly half of each predicate is true.

    ``augmented``: the picture shows four quarters, RGB, depth and a filled mask of either box, and
    the question says so, in training and evaluation alike.
    """

    split: Literal["train", "valid", "test"] = "test"
    augmented: bool = True

    def questions(self) -> Questions:
        """See ``Benchmark``."""
        file = "**/c_0.9_c_0.1.json"
        found = Download(name="Rel3D", parts={file: PLACE, "**/20200223": PLACE}).find(self.root)
        path, folder = found[file][0], found["**/20200223"][0]
        (rows,) = fields(read_json(path), (self.split,), str(path))
        # Paths in the file start at the repository of its authors.
        asked = Asked("Rel3D", Pictures([folder, folder.parent, folder.parent.parent]))
        for index, row in enumerate(rows):
            where = f"{path}: {self.split} {index}"
            rgb_name, depth_name = fields(row, ("rgb", "depth"), where)
            rgb = asked.picture(str(index), _inside(rgb_name, folder.name))
            if rgb is None:
                continue
            depth = asked.picture(str(index), _inside(depth_name, folder.name))
            if depth is not None:
                asked.add(self._sample(index, row, rgb, depth, where))
        return asked.questions()

    def _sample(self, index: int, row: Any, rgb: ImageFile, depth: ImageFile, where: str) -> Sample:
        subject, predicate, thing, label = fields(
            row, ("subject", "predicate", "object", "label"), where
        )
        boxes = _box(subject["bbox"], where), _box(thing["bbox"], where)
        text = statement(f"{subject['name']} {predicate} {thing['name']}")
        image: ImageFile | QuarteredFiles = rgb
        shown = boxes
        if self.augmented:
            image = QuarteredFiles(rgb=rgb, depth=depth, boxes=boxes)
            text = f"{AUGMENTED} {text}"
            # The truth lies where the scene is shown: in the first quarter.
            sx, sy = SIDE / 2 / rgb.width, SIDE / 2 / rgb.height
            shown = tuple(pixel_corners(b.x1 * sx, b.y1 * sy, b.x2 * sx, b.y2 * sy) for b in boxes)
        return Sample(
            id=str(index),
            image=image,
            question=text,
            answers=(WORDS[bool(label)],),
            groundings=tuple(
                Grounding(label=one["name"], box=box)
                for one, box in zip((subject, thing), shown, strict=True)
            ),
            kind=predicate,
            provenance=Provenance(dataset="rel3d", split=self.split),
        )


def _inside(name: str, folder: str) -> str:
    """The path below ``folder``."""
    parts = Path(name).parts
    return "/".join(parts[parts.index(folder) + 1 :]) if folder in parts else Path(name).name


def _box(row: Any, where: str) -> Box:
    left, top, width, height = fields(row, ("left", "top", "width", "height"), where)
    try:
        return pixel_corners(left, top, left + width, top + height)
    except (TypeError, ValueError) as error:
        raise UserError(f"{where}: {error}") from error
