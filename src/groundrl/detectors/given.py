"""Boxes that people drew, from a YOLO, COCO or Pascal VOC data set."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from groundrl.cache_key import cache_key
from groundrl.data.coco import read_coco, read_coco_split
from groundrl.data.detection import DetectionSet
from groundrl.data.voc import read_voc
from groundrl.data.yolo import read_yolo
from groundrl.detectors.base import UnlabelledImageError
from groundrl.detectors.records import InputImage, Region
from groundrl.errors import UserError

HOW: Final = (
    "Type labels=<COCO annotations.json>, or labels=<folder> of a YOLO data set (data.yaml, "
    "images/, labels/), of a COCO data set (annotations/) or of a VOC data set (Annotations/)."
)


class GivenDetector:
    """The boxes of a data set, by the path of the image."""

    def __init__(
        self, labels: str | None, images: str | None = None, split: str | None = None
    ) -> None:
        """Reads ``labels``: see ``read_labels``. Raises UserError with all its problems."""
        if not labels:
            raise UserError(f"detector=given needs boxes: {HOW}")
        self.labels = labels
        given = read_labels(labels, images, split)
        self._regions = {
            image.image.key: tuple(
                Region(label=item.label, box=item.box, score=1.0) for item in image.groundings
            )
            for image in given.images
        }
        self._licences = {image.image.key: image.licence for image in given.images}
        # Crowds are there without boxes: that no box shows a class does not say it is absent.
        uncounted = frozenset[str]().union(*(image.uncounted for image in given.images))
        self.vocabulary = tuple(name for name in given.names if name not in uncounted)
        """Classes that were boxed wherever they are."""
        self.name = cache_key(
            "given", labels=Path(labels).name, boxes=sorted(self._regions.items())
        )

    def licence_of(self, image: InputImage) -> str | None:
        """As a COCO file names it."""
        return self._licences.get(image.source.key)

    def known_as(self, image: InputImage) -> str:
        """Its path."""
        return image.source.key

    def __call__(self, images: Sequence[InputImage]) -> list[tuple[Region, ...]]:
        """The boxes of each image. Raises Unlabelled for one that is not in the data set."""
        for image in images:
            if image.source.key not in self._regions:
                raise UnlabelledImageError(f"labels={self.labels} says nothing of it")
        return [self._regions[image.source.key] for image in images]


def read_labels(labels: str, images: str | None, split: str | None) -> DetectionSet:
    """A COCO annotation file (.json) about images in ``images``, or the folder of a YOLO, COCO or
    Pascal VOC data set. Images that cannot be read are left out. Raises UserError."""
    path = Path(labels).expanduser()
    if path.is_file() and path.suffix == ".json":
        if images is None:
            raise UserError(f"labels={labels} is about images elsewhere: type images=<folder>")
        return read_coco(path, images, skip_unreadable=True)
    if (path / "Annotations").is_dir() and any((path / "Annotations").glob("*.xml")):
        return read_voc(path, split, skip_unreadable=True)
    if (path / "annotations").is_dir():
        return read_coco_split(path, split, skip_unreadable=True)
    if path.is_dir():
        return read_yolo(path, split, skip_unreadable=True)
    raise UserError(f"labels={labels}: no such file or folder. {HOW}")
