"""Rel3D (arXiv 2012.01634): minimally contrastive relations in depth."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Final, Literal

from groundrl.files import read_json
from groundrl.json_rows import Number, Text, Whole
from groundrl.published.files import Download, FoundFiles, Truth, pixel_box, with_places
from groundrl.published.reader import RowReader, Target
from groundrl.published.rel3d_images import DepthFile, MaskImage, QuarteredFiles
from groundrl.published.statements import relation_rationale, relation_statement
from groundrl.questions.yes_no import TRUE_FALSE
from groundrl.records import (
    Form,
    Grounding,
    ImageFile,
    ImageSource,
    NamedImage,
    Provenance,
    Sample,
    Segments,
)
from groundrl.world.quarters import AUGMENTED

SOURCE: Final = "https://github.com/princeton-vl/Rel3D"
PLACE: Final = f"{SOURCE}#download-datasets-and-pre-trained-models"
SIDE: Final = 448
"""Pixels of the four-quarter image, as published ("Visual Reasoning", study 3)."""
SEVERAL: Final = (
    "The second image shows how far everything is, the third where the first object is, the fourth "
    "where the second one is."
)
"""Stands before a question about such images."""


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
class Rel3DReader(RowReader):
    """A statement about two objects, true or false; exactly half of each predicate is true.

    ``view``: what is shown, and explained in the question. "quarters": one image of RGB, depth and
    a filled mask of either box; "context": RGB, and the other three as images of their own; "rgb".
    """

    split: Literal["train", "valid", "test"] = "test"
    view: Literal["quarters", "context", "rgb"] = "quarters"

    form: ClassVar[Form] = Form.TRUE_FALSE
    targets: ClassVar[tuple[Target, ...]] = ("answer_only", "rationale", "boxed_rationale")
    row: ClassVar[type] = Rel3DRow
    sizes: ClassVar[Mapping[str, int]] = {"train": 20454, "valid": 2138, "test": 4744}

    @property
    def part(self) -> str:
        """See ``PublishedReader``."""
        return self.split

    @property
    def download(self) -> Download:
        """See ``PublishedReader``."""
        return Download(
            name="Rel3D",
            parts={"**/c_0.9_c_0.1.json": PLACE},
            images={"**/20200223": PLACE},
            world="world_rel3d",
        )

    def image_folders(self, files: FoundFiles) -> Sequence[Path]:
        """See ``PublishedReader``."""
        return [place for one in files.folders for place in (one, *one.parents[:2])]

    def rows(self, files: FoundFiles) -> Iterable[tuple[str, Any]]:
        """See ``RowReader``."""
        return with_places(files.parts[0], read_json(files.parts[0]), self.split)

    def read(self, number: int, row: Rel3DRow) -> Iterable[Sample]:
        """See ``RowReader``; the depth map is a second image, until ``complete``."""
        rgb, depth = (
            NamedImage(key=_path_inside(name), width=row.width, height=row.height)
            for name in (row.rgb, row.depth)
        )
        pair = row.subject.grounding, row.object.grounding
        yield Sample(
            id=str(number),
            image=rgb,
            context_images=(depth,),
            question=relation_statement(pair[0], row.predicate, pair[1]),
            answers=(TRUE_FALSE[row.label],),
            groundings=pair,
            rationale=relation_rationale(pair[0], row.predicate, pair[1], holds=row.label),
            kind=row.predicate,
            provenance=Provenance(dataset="rel3d", split=self.split, source=SOURCE),
        )

    def complete(self, sample: Sample) -> Sample:
        """The question about what ``view`` shows. In "quarters" the true boxes lie where the scene
        is shown, in the first quarter."""
        if self.view == "rgb":
            return replace(sample, context_images=())
        return (_quartered if self.view == "quarters" else _with_context)(sample)


def _quartered(sample: Sample) -> Sample:
    rgb, (depth,) = sample.image, sample.context_images
    subject, thing = sample.groundings
    if isinstance(rgb, ImageFile) and isinstance(depth, ImageFile):
        boxes = (subject.box, thing.box)
        image = QuarteredFiles(rgb=rgb, depth=_depth(depth), boxes=boxes, side=SIDE)
    else:
        image = NamedImage(key=f"quarters:{rgb.key}", width=SIDE, height=SIDE)
    scale = (SIDE / 2 / rgb.width, SIDE / 2 / rgb.height)
    assert sample.rationale is not None
    rationale: Segments = tuple(
        _scaled(part, *scale) if isinstance(part, Grounding) else part for part in sample.rationale
    )
    return replace(
        sample,
        image=image,
        context_images=(),
        question=f"{AUGMENTED} {sample.question}",
        groundings=(_scaled(subject, *scale), _scaled(thing, *scale)),
        rationale=rationale,
    )


def _with_context(sample: Sample) -> Sample:
    rgb, (depth,) = sample.image, sample.context_images
    shown: ImageSource = _depth(depth) if isinstance(depth, ImageFile) else depth
    masks = (
        MaskImage(box=one.box, width=rgb.width, height=rgb.height) for one in sample.groundings
    )
    return replace(sample, context_images=(shown, *masks), question=f"{SEVERAL} {sample.question}")


def _depth(file: ImageFile) -> DepthFile:
    return DepthFile(path=file.path, width=file.width, height=file.height)


def _path_inside(name: str, folder: str = "20200223") -> str:
    """The path below ``folder``."""
    parts = Path(name).parts
    return "/".join(parts[parts.index(folder) + 1 :]) if folder in parts else Path(name).name


def _scaled(one: Grounding, x: float, y: float) -> Grounding:
    box = one.box
    return replace(one, box=pixel_box(box.x1 * x, box.y1 * y, box.x2 * x, box.y2 * y))
