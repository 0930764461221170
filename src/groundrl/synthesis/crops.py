"""Regions -> crops: the parts of the image that are captioned one by one."""

from collections.abc import Sequence
from dataclasses import dataclass

from groundrl.boxes import Box, iou
from groundrl.detectors.records import Region
from groundrl.errors import UserError
from groundrl.records import ImageSource
from groundrl.synthesis.annotations import Crop


@dataclass(frozen=True, slots=True, kw_only=True)
class Cropping:
    """Options for making crops from regions."""

    margin: float = 0.25
    """Added on each side, as a fraction of the box's width and height."""
    min_side: int = 48
    """Smallest width and height of a crop in pixels, where the image is large enough."""
    duplicate_iou: float = 0.6
    """IoU from which two regions with the same label are one object; the one with the higher score
    is kept."""
    min_area: float = 0.0005
    """Fraction of the image's area; smaller regions get no crop."""
    max_crops: int = 12
    """Crops per image: of the regions with the highest scores; at equal scores the largest."""

    def __post_init__(self) -> None:
        if self.margin < 0 or self.min_side < 1 or self.max_crops < 1:
            raise UserError(
                "crops need margin >= 0, min_side >= 1 and max_crops >= 1, got "
                f"margin={self.margin}, min_side={self.min_side}, max_crops={self.max_crops}"
            )
        if not 0 < self.duplicate_iou <= 1 or not 0 <= self.min_area < 1:
            raise UserError(
                "crops need 0 < duplicate_iou <= 1 and 0 <= min_area < 1, got "
                f"duplicate_iou={self.duplicate_iou}, min_area={self.min_area}"
            )


def drop_duplicates(regions: Sequence[Region], duplicate_iou: float) -> tuple[Region, ...]:
    """Non-maximum suppression per label: of regions with the same label and an IoU of at least
    ``duplicate_iou``, the one with the highest score is kept. The order stays."""
    order = sorted(range(len(regions)), key=lambda i: (-regions[i].score, i))
    kept: list[int] = []
    for i in order:
        overlaps = (
            regions[j].label == regions[i].label
            and iou(regions[j].box, regions[i].box) >= duplicate_iou
            for j in kept
        )
        if not any(overlaps):
            kept.append(i)
    return tuple(regions[i] for i in sorted(kept))


def split_doubts(
    regions: Sequence[Region], duplicate_iou: float
) -> tuple[tuple[Region, ...], tuple[Region, ...]]:
    """The sure regions and the doubts, both without duplicates. A doubt that overlaps a sure region
    with its label is dropped."""
    sure = drop_duplicates([region for region in regions if region.sure], duplicate_iou)
    doubts = drop_duplicates([region for region in regions if not region.sure], duplicate_iou)
    return sure, tuple(
        one
        for one in doubts
        if not any(
            one.label == other.label and iou(one.box, other.box) >= duplicate_iou for other in sure
        )
    )


def make_crops(
    regions: Sequence[Region], image: ImageSource, options: Cropping
) -> tuple[Crop, ...]:
    """Crops of the large enough regions with the highest scores, in the order of ``regions``."""
    smallest = options.min_area * image.width * image.height
    large = [i for i, region in enumerate(regions) if region.box.area >= max(smallest, 1.0)]
    large.sort(key=lambda i: (-regions[i].score, -regions[i].box.area, i))
    chosen = sorted(large[: options.max_crops])
    return tuple(
        Crop(region=regions[i], box=expand_box(regions[i].box, image, options)) for i in chosen
    )


def expand_box(box: Box, image: ImageSource, options: Cropping) -> Box:
    """``box`` with its margin, extended to whole pixels and moved to lie inside the image."""
    x1, x2 = _expand_side(box.x1, box.x2, image.width, options)
    y1, y2 = _expand_side(box.y1, box.y2, image.height, options)
    return Box(x1=x1, y1=y1, x2=x2, y2=y2, frame=box.frame)


def _expand_side(low: float, high: float, extent: int, options: Cropping) -> tuple[float, float]:
    side = max((1 + 2 * options.margin) * (high - low), float(options.min_side))
    side = min(side, float(extent))
    # A crop at the edge is moved, not cut: it shows its object at the same scale.
    start = min(max((low + high - side) / 2, 0.0), extent - side)
    return float(int(start)), min(float(-int(-(start + side) // 1)), float(extent))
