"""The boxes of COCO segmentations: polygons, and run-length encodings of masks."""

from itertools import accumulate
from typing import Any, Final

from groundrl.data.detection.shapes import Corners, around, pairs

BITS: Final = 5
"""Of a number in each character of compressed counts; the sixth bit says that more follow."""
LARGEST: Final = 10**9
"""Pixels; a number beyond is damage."""


def box_of_segmentation(value: Any) -> Corners:
    """The smallest box around a segmentation: ``[[x, y, x, y, …], …]`` or ``{"counts", "size"}``.
    Raises ValueError for any other value."""
    if isinstance(value, dict):
        return box_of_runs(*_runs(value))
    polygons = value if isinstance(value, list) else []
    if not polygons or not all(
        isinstance(one, list) and len(one) >= 4 and all(map(is_number, one)) for one in polygons
    ):
        raise ValueError("segmentation must be polygons [[x, y, x, y, ...]] or {counts, size}")
    return around([point for one in polygons for point in pairs([float(n) for n in one])])


def box_of_runs(counts: list[int], height: int, width: int) -> Corners:
    """The box around the pixels of a mask. ``counts``: how many pixels are off, on, off, … down the
    columns, from the left. Raises ValueError where they do not fill the mask, or nothing is on."""
    ends = list(accumulate(counts))
    if min(counts, default=-1) < 0 or ends[-1] != height * width:
        raise ValueError(f"counts do not add up to the {height} x {width} pixels of size")
    spans = [(end - count, end - 1) for end, count in zip(ends, counts, strict=True)][1::2]
    spans = [(first, last) for first, last in spans if last >= first]
    if not spans:
        raise ValueError("the mask is empty")
    left, right = spans[0][0] // height, spans[-1][1] // height
    # A run that goes on in the next column touches the lower and the upper edge.
    whole = any(first // height < last // height for first, last in spans)
    top = 0 if whole else min(first % height for first, _ in spans)
    bottom = height - 1 if whole else max(last % height for _, last in spans)
    return float(left), float(top), float(right + 1), float(bottom + 1)


def _runs(value: dict[str, Any]) -> tuple[list[int], int, int]:
    counts, size = value.get("counts"), value.get("size")
    if not (isinstance(size, list) and len(size) == 2 and all(map(_is_whole, size))):
        raise ValueError("segmentation needs 'size': [height, width]")
    if isinstance(counts, str):
        counts = _uncompress(counts)
    if not (isinstance(counts, list) and counts and all(map(_is_whole, counts))):
        raise ValueError("segmentation needs 'counts': a list of whole numbers, or COCO's text")
    return counts, *size


def _uncompress(text: str) -> list[int]:
    """The numbers of COCO's compressed counts: 5 bits a character, the lowest first, the sign in
    the last one; from the fourth on each is the difference to the number two before it."""
    numbers: list[int] = []
    number = shift = 0
    for character in text:
        bits = ord(character) - 48
        if not 0 <= bits < 64:
            raise ValueError(f"counts hold {character!r}, which no compressed mask has")
        number |= (bits & 31) << shift
        shift += BITS
        if bits & 32:
            continue
        if bits & 16:
            number -= 1 << shift
        numbers.append(number + (numbers[-2] if len(numbers) > 2 else 0))
        number = shift = 0
    return numbers


def is_number(value: object) -> bool:
    """Whether a value of JSON is a number that can be a coordinate."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        return False
    return -LARGEST <= value <= LARGEST


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and is_number(value)
