"""A detector that returns the boxes of a detection data set, as people drew them."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from groundrl.cache_key import cache_key
from groundrl.data.detection.base import DetectionSet, Layout, uncertain_classes
from groundrl.data.detection.classes import ClassOptions, name_classes
from groundrl.detectors.base import UnlabelledImageError
from groundrl.detectors.records import InputImage, Region
from groundrl.errors import UserError


class GivenDetector:
    """Looks up the boxes of a data set by the path of the image."""

    def __init__(
        self,
        layouts: Mapping[str, Layout],
        labels: str | None,
        images: str | None = None,
        split: str | None = None,
        names: Mapping[str, str | None] | None = None,
        never_absent: Sequence[str] | str = (),
    ) -> None:
        """Reads ``labels``: see ``read_labels``. Raises UserError with all its problems.

        ``names``: class -> noun, where the noun that its name becomes is wrong; null for a class
        that is left out. ``never_absent``: classes that were not boxed wherever they are, or "all".
        """
        if not labels:
            raise UserError(f"detector=given needs boxes. {what_to_type(layouts)}")
        self.labels = labels
        given = read_labels(labels, images, split, layouts)
        classes = ClassOptions(names=names or {}, never_absent=never_absent)
        classes.check(given.names, "detector")
        given = name_classes(given, classes)
        self._regions = {
            image.image.key: tuple(
                Region(label=item.label, box=item.box, score=1.0) for item in image.groundings
            )
            for image in given.images
        }
        self._licences = {image.image.key: image.licence for image in given.images}
        # Crowds have no boxes: a class without boxes may be there all the same.
        uncertain = frozenset[str]().union(
            *(uncertain_classes(image, given.names) for image in given.images)
        )
        self.vocabulary = tuple(name for name in given.names if name not in uncertain)
        """Classes that were boxed wherever they are."""
        self.name = cache_key(
            "given", labels=Path(labels).name, boxes=sorted(self._regions.items())
        )

    def find_licence(self, image: InputImage) -> str | None:
        """The licence's name in a COCO file."""
        return self._licences.get(image.source.key)

    def image_key(self, image: InputImage) -> str:
        """The image's path."""
        return image.source.key

    def __call__(self, images: Sequence[InputImage]) -> list[tuple[Region, ...]]:
        """The boxes of each image. Raises UnlabelledImageError for one outside the data set."""
        for image in images:
            if image.source.key not in self._regions:
                raise UnlabelledImageError(f"labels={self.labels} does not list it")
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
