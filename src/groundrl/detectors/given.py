"""A detector that returns the boxes of a detection data set, as people drew them."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from groundrl.cache_key import cache_key
from groundrl.data.detection import DetectionSet, Layout
from groundrl.detectors.base import UnlabelledImageError
from groundrl.detectors.records import InputImage, Region
from groundrl.errors import UserError


class GivenDetector:
    """The boxes of a data set, by the path of the image."""

    def __init__(
        self,
        layouts: Mapping[str, Layout],
        labels: str | None,
        images: str | None = None,
        split: str | None = None,
    ) -> None:
        """Reads ``labels``: see ``read_labels``. Raises UserError with all its problems."""
        if not labels:
            raise UserError(f"detector=given needs boxes. {what_to_type(layouts)}")
        self.labels = labels
        given = read_labels(labels, images, split, layouts)
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


def read_labels(
    labels: str, images: str | None, split: str | None, layouts: Mapping[str, Layout]
) -> DetectionSet:
    """Read a data set with the first layout that recognises it. Images that cannot be read are
    left out. Raises UserError for a path that none recognises."""
    path = Path(labels).expanduser()
    for layout in layouts.values():
        if layout.recognises(path):
            return layout.read(path, split, images=images, skip_unreadable=True)
    reason = "is none of these" if path.exists() else "no such file or folder"
    raise UserError(f"labels={labels}: {reason}. {what_to_type(layouts)}")


def what_to_type(layouts: Mapping[str, Layout]) -> str:
    """The forms of the labels that can be read."""
    return f"Type labels=<path> of {', or of '.join(one.form for one in layouts.values())}."
