"""Regions -> what is shown of them, one by one."""

from collections.abc import Sequence
from dataclasses import dataclass

from groundrl.boxes import Box, iou
from groundrl.detectors.records import Region
from groundrl.errors import UserError
from groundrl.records import ImageSource
from groundrl.synthesis.annotations import Crop


@dataclass(frozen=True, slots=True, kw_only=True)
class Cropping:
    """How regions become crops."""

    margin: float = 0.25
    """Added on each side, as a share of the box's width and height."""
    min_side: int = 48
    """Pixels that a crop has at least in each direction, where the image has them."""
    duplicate_iou: float = 0.6
    """From here on, two regions of one label are the same object; the surer one stays."""
    min_area: float = 0.0005
    """Share of the image below which a region is not looked at."""
    max_crops: int = 12
    """Per image; the surest regions are taken, of equally sure ones the largest."""

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


def without_duplicates(regions: Sequence[Region], duplicate_iou: float) -> tuple[Region, ...]:
    """Without duplicates, in the old order: of regions with one label that overlap by at least
    ``duplicate_iou`` the surest stays (greedy, surest first)."""
    order = sorted(range(len(regions)), key=lambda i: (-regions[i].score, i))
    kept: list[int] = []
    for i in order:
        twins = (
            regions[j].label == regions[i].label
            and iou(regions[j].box, regions[i].box) >= duplicate_iou
            for j in kept
        )
        if not any(twins):
            kept.append(i)
    return tuple(regions[i] for i in sorted(kept))


def split_doubts(
    regions: Sequence[Region], duplicate_iou: float
) -> tuple[tuple[Region, ...], tuple[Region, ...]]:
    """The sure regions and the doubts, both without duplicates; what is sure is no doubt."""
    sure = without_duplicates([region for region in regions if region.sure], duplicate_iou)
    doubts = without_duplicates([region for region in regions if not region.sure], duplicate_iou)
    return sure, tuple(
        one
        for one in doubts
        if not any(
            one.label == other.label and iou(one.box, other.box) >= duplicate_iou for other in sure
        )
    )


def crops_of(regions: Sequence[Region], image: ImageSource, options: Cropping) -> tuple[Crop, ...]:
    """A crop of each region that is large enough and among the surest, in the order of regions."""
    smallest = options.min_area * image.width * image.height
    large = [i for i, region in enumerate(regions) if region.box.area >= max(smallest, 1.0)]
    large.sort(key=lambda i: (-regions[i].score, -regions[i].box.area, i))
    chosen = sorted(large[: options.max_crops])
    return tuple(
        Crop(region=regions[i], box=zoomed(regions[i].box, image, options)) for i in chosen
    )


def zoomed(box: Box, image: ImageSource, options: Cropping) -> Box:
    """The box with its margin, on whole pixels, inside the image; it contains ``box``."""
    x1, x2 = _stretched(box.x1, box.x2, image.width, options)
    y1, y2 = _stretched(box.y1, box.y2, image.height, options)
    return Box(x1=x1, y1=y1, x2=x2, y2=y2, frame=box.frame)


def _stretched(low: float, high: float, extent: int, options: Cropping) -> tuple[float, float]:
    side = max((1 + 2 * options.margin) * (high - low), float(options.min_side))
    side = min(side, float(extent))
    # Moved back where it would leave the image: what is near the edge is shown as large.
    start = min(max((low + high - side) / 2, 0.0), extent - side)
    return float(int(start)), min(float(-int(-(start + side) // 1)), float(extent))
