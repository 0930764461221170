"""What annotation files list, and the data set that is made of it when the images are known."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from groundrl.boxes import Frame
from groundrl.data.detection.base import (
    AnnotatedImage,
    Boxes,
    DetectionSet,
    check_set,
    describe_other_size,
    pixel_box,
)
from groundrl.data.detection.shapes import Corners, inside
from groundrl.data.image_files import ImageFinder, check_images
from groundrl.data.problems import Problems
from groundrl.records import Grounding, ImageFile


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedBox:
    """A box as an annotation file has it."""

    label: str
    corners: Corners
    frame: Frame = Frame.PIXEL
    """PIXEL or UNIT."""
    where: str
    """File and place."""
    is_turned: bool = False
    """Whether it is the box around a turned shape, which may reach out of the image: what lies
    inside counts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedImage:
    """An image as an annotation file lists it; ``uncounted``, ``denied`` and ``licence`` as in
    ``AnnotatedImage``."""

    file: str | Path
    """Its path as it is written, or where it was found."""
    where: str
    """File and place."""
    id: str | None = None
    """None: the path of the image in its folder."""
    size: tuple[object, object] | None = None
    """Width and height as stated; None if they are not."""
    boxes: Sequence[ListedBox] = ()
    uncounted: frozenset[str] = frozenset()
    denied: frozenset[str] | None = None
    licence: str | None = None


def assemble(
    listed: Iterable[ListedImage],
    finder: ImageFinder,
    problems: Problems,
    *,
    name: str,
    split: str | None,
    names: Iterable[str] | None = None,
    wider: Mapping[str, frozenset[str]] | None = None,
) -> DetectionSet:
    """The data set of images that lie below one folder, as ``place_images`` makes them.

    ``names``: the classes; None takes those that occur. Raises UserError with all problems.
    """
    images = place_images(listed, finder, problems)
    finder.check_found(problems.source)
    if split is None:
        tell_unlisted(finder, problems)
    if names is None:
        drawn = {item.label for image in images for item in image.groundings}
        names = sorted(drawn.union(*(image.uncounted for image in images)))
    return check_set(
        problems, name=name, split=split or "all", names=names, images=images, wider=wider
    )


def place_images(
    listed: Iterable[ListedImage], finder: ImageFinder, problems: Problems, prefix: str = ""
) -> list[AnnotatedImage]:
    """Find and decode the images, and place the boxes in them. What is wrong becomes a problem.

    ``prefix`` begins the ids of the images.
    """
    listed = list(listed)
    paths = [finder.find(one.file) for one in listed]
    checked = check_images(paths)
    first: dict[Path, str] = {}
    images = []
    for one, path in zip(listed, paths, strict=True):
        file = checked[path]
        if path in first:
            problems.add(one.where, f"{one.file} is listed twice, first at {first[path]}")
        elif isinstance(file, str):
            problems.unreadable(path, file)
        elif one.size not in (None, (file.width, file.height)):
            problems.add(one.where, describe_other_size(one.size or (), file))
        else:
            images.append(_place(one, file, one.id or prefix + finder.id_of(path), problems))
        first.setdefault(path, one.where)
    return images


def tell_unlisted(finder: ImageFinder, problems: Problems) -> None:
    """Note the images that no annotation is about."""
    for path in finder.never_found():
        problems.note(path, "an image without an annotation")


def _place(one: ListedImage, file: ImageFile, id_: str, problems: Problems) -> AnnotatedImage:
    boxes = Boxes(problems)
    for box in one.boxes:
        scale = (1.0, 1.0) if box.frame is Frame.PIXEL else (file.width, file.height)
        x1, y1, x2, y2 = box.corners
        corners = (x1 * scale[0], y1 * scale[1], x2 * scale[0], y2 * scale[1])
        if box.is_turned:
            corners = inside(corners, file.width, file.height)
        try:
            boxes.add(Grounding(label=box.label, box=pixel_box(corners, file)), box.where)
        except ValueError as error:
            problems.add(box.where, str(error))
    return AnnotatedImage(
        id=id_,
        image=file,
        groundings=boxes.groundings,
        uncounted=one.uncounted | boxes.uncounted,
        denied=one.denied,
        licence=one.licence,
    )
