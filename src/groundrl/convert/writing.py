"""Samples as rows of other formats, and what those cannot hold."""

import hashlib
import shutil
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from string import ascii_uppercase
from typing import Any, Final

from groundrl.boxes import Frame, ImageSizes, convert
from groundrl.data.formats.base import UNNAMED
from groundrl.data.schema import save_image
from groundrl.data.tables.reader import Resize
from groundrl.errors import UserError
from groundrl.grammar import get_grammar
from groundrl.grammar.base import format_coordinate
from groundrl.records import CAPTION, Grounding, ImageFile, ImageSource, Sample, Segments

WriteText = Callable[[Segments], str]
"""Text with boxes, of one format."""
MORE_ANSWERS: Final = "accepted answers beyond the first"
BOXES: Final = "boxes that no text points at"
LABELS: Final = "labels of boxes"
IMAGES: Final = "context images"
PROVENANCE: Final = "licence"
ASKED: Final = "questions"


@dataclass(slots=True)
class Images:
    """Images below the folder of the file that is written; others are copied there."""

    folder: Path
    saved: dict[str, str] = field(default_factory=dict)
    """Key -> path from the folder."""
    copied: int = 0

    def path(self, image: ImageSource) -> str:
        """From the folder."""
        if image.key not in self.saved:
            self.saved[image.key] = self._save(image)
        return self.saved[image.key]

    def _save(self, image: ImageSource) -> str:
        root = self.folder.resolve()
        if isinstance(image, ImageFile):
            if (file := image.path.resolve()).is_relative_to(root):
                return file.relative_to(root).as_posix()
            name = hashlib.blake2b(image.key.encode(), digest_size=10).hexdigest()
            target = root / "images" / f"{name}{file.suffix}"
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, target)
            self.copied += 1
            return f"images/{target.name}"
        self.copied += 1
        return save_image(image, root)


def in_frame(sample: Sample, frame: Frame, resize: Resize) -> Sample:
    """The sample with all boxes in ``frame``."""
    image = sample.image
    width, height = resize.size(image.width, image.height)
    sizes = ImageSizes(
        width=image.width, height=image.height, model_width=width, model_height=height
    )

    def move(item: Grounding) -> Grounding:
        return replace(item, box=convert(item.box, frame, sizes))

    reasoning = sample.rationale
    return replace(
        sample,
        groundings=tuple(map(move, sample.groundings)),
        rationale=None
        if reasoning is None
        else tuple(part if isinstance(part, str) else move(part) for part in reasoning),
    )


def asked_text(sample: Sample) -> str:
    """The question with a mark for each image, and its options a line each, with letters."""
    if len(sample.options) > len(ascii_uppercase):
        raise UserError(f"sample {sample.id!r} has more options than there are letters")
    lettered = zip(ascii_uppercase, sample.options, strict=False)
    options = [f"{letter}. {option}" for letter, option in lettered]
    return "\n".join(["<image>" * len(sample.images), sample.question, *options])


def answer_text(sample: Sample, write: WriteText, lost: Counter[str]) -> str:
    """The answer, after its reasoning if there is some, with boxes where they are pointed at."""
    if sample.kind == CAPTION and sample.rationale is not None:
        return write(sample.rationale)
    # In the order of the text: ms-swift's boxes are matched with their marks by it.
    reasoning = None if sample.rationale is None else write(sample.rationale)
    if not sample.answers:
        answer = write(sample.groundings)
    elif sample.options:
        letters = [ascii_uppercase[sample.options.index(answer)] for answer in sample.answers]
        answer = ", ".join(letters)
    else:
        answer = sample.answers[0]
        lost[MORE_ANSWERS] += len(sample.answers) > 1
    if reasoning is None:
        lost[BOXES] += bool(sample.answers and sample.groundings)
        return answer
    return f"<think>{reasoning}</think>\n<answer>{answer}</answer>"


def write_fractions(segments: Segments) -> str:
    """LLaVA's form: a label, and shares of width and height in brackets."""
    parts = []
    for index, part in enumerate(segments):
        if isinstance(part, str):
            parts.append(part)
            continue
        corners = ", ".join(format_coordinate(v, part.box.frame) for v in part.box.corners)
        between = ", " if index and isinstance(segments[index - 1], Grounding) else ""
        label = "" if part.label == UNNAMED else f"{part.label} "
        parts.append(f"{between}{label}[{corners}]")
    return "".join(parts)


def conversation_row(sample: Sample, images: Images, answer: str) -> dict[str, Any]:
    """A row of LLaVA and of Qwen's fine-tuning code."""
    paths = [images.path(image) for image in sample.images]
    return {
        "id": sample.id,
        "image": paths[0] if len(paths) == 1 else paths,
        "conversations": [
            {"from": "human", "value": asked_text(sample)},
            {"from": "gpt", "value": answer},
        ],
    }


def llava_row(sample: Sample, images: Images, lost: Counter[str]) -> dict[str, Any]:
    """Boxes are fractions with three decimals in the text."""
    moved = in_frame(sample, Frame.UNIT, Resize())
    labels = [item.label for item in sample.groundings if item.label != UNNAMED]
    lost[LABELS] += bool(labels)
    lost[PROVENANCE] += sample.provenance.licence != "unknown"
    return conversation_row(sample, images, answer_text(moved, write_fractions, lost))


@dataclass(frozen=True, slots=True)
class QwenRows:
    """Conversations with JSON boxes in whole numbers of a frame: thousandths for Qwen3-VL, pixels
    of the resized image for Qwen2.5-VL."""

    frame: Frame

    def __call__(self, sample: Sample, images: Images, lost: Counter[str]) -> dict[str, Any]:
        """The row."""
        moved = in_frame(sample, self.frame, Resize())
        lost[PROVENANCE] += sample.provenance.licence != "unknown"
        write = get_grammar("bbox_2d").render_segments
        try:
            answer = answer_text(moved, write, lost)
        except ValueError as error:  # its text would be read as a part of a box
            raise UserError(f"sample {sample.id!r} cannot be written as JSON: {error}") from error
        return conversation_row(sample, images, answer)


def ms_swift_row(sample: Sample, images: Images, lost: Counter[str]) -> dict[str, Any]:
    """Boxes stand in ``objects``, in pixels."""
    objects: dict[str, list[Any]] = {"ref": [], "bbox": []}

    def write(segments: Segments) -> str:
        parts = []
        for part in segments:
            if isinstance(part, str):
                parts.append(part)
                continue
            objects["bbox"].append(list(part.box.corners))
            if part.label != UNNAMED:
                objects["ref"].append(part.label)
            parts.append("<bbox>" if part.label == UNNAMED else "<ref-object><bbox>")
        return "".join(parts)

    lost[PROVENANCE] += sample.provenance.licence != "unknown"
    answer = answer_text(sample, write, lost)
    return {
        "id": sample.id,
        "messages": [
            {"role": "user", "content": asked_text(sample)},
            {"role": "assistant", "content": answer},
        ],
        "images": [images.path(image) for image in sample.images],
        "objects": objects | {"bbox_type": "real"},
    }


@dataclass(slots=True)
class CocoFile:
    """The images of samples with their boxes; an image of several samples stands there once."""

    ids: dict[str, int] = field(default_factory=dict)
    images: list[dict[str, Any]] = field(default_factory=list)
    categories: dict[str, int] = field(default_factory=dict)
    boxes: dict[tuple[int, Grounding], None] = field(default_factory=dict)

    def add(self, sample: Sample, images: Images, lost: Counter[str]) -> None:
        """Add the boxes of a sample."""
        key = sample.image.key
        if key not in self.ids:
            self.ids[key] = len(self.ids) + 1
            size = {"width": sample.image.width, "height": sample.image.height}
            path = images.path(sample.image)
            self.images.append({"id": self.ids[key], "file_name": path, **size})
        for item in sample.groundings:
            self.categories.setdefault(item.label, len(self.categories) + 1)
            self.boxes[self.ids[key], item] = None
        lost[ASKED] += bool(sample.answers)
        lost["reasoning"] += sample.rationale is not None
        lost[IMAGES] += bool(sample.context_images)
        lost[PROVENANCE] += sample.provenance.licence != "unknown"

    def content(self) -> dict[str, Any]:
        """The tables of the file."""
        annotations = []
        for number, (image, item) in enumerate(self.boxes, start=1):
            box = item.box
            size = [box.x1, box.y1, box.x2 - box.x1, box.y2 - box.y1]
            annotations.append(
                {
                    "id": number,
                    "image_id": image,
                    "category_id": self.categories[item.label],
                    "bbox": size,
                    "area": box.area,
                    "iscrowd": 0,
                }
            )
        names = [{"id": number, "name": name} for name, number in self.categories.items()]
        return {"images": self.images, "categories": names, "annotations": annotations}


ROWS: Final[Mapping[str, Callable[[Sample, Images, Counter[str]], dict[str, Any]]]] = {
    "llava": llava_row,
    "ms_swift": ms_swift_row,
}
