"""JSON forms of the records of a synthesis, for the cache and for ``images.jsonl``.

A box is ``[x1, y1, x2, y2]`` in the PIXEL frame.
"""

import hashlib
import json
from enum import StrEnum
from typing import Annotated, Any, Final

from pydantic import BeforeValidator, TypeAdapter

from groundrl.boxes import Box, Frame
from groundrl.detectors.records import Region
from groundrl.files import parse_json
from groundrl.synthesis.annotations import (
    Caption,
    CaptionedImage,
    Crop,
    Verdict,
    VerifiedCaption,
)

Result = tuple[Region, ...] | Caption | Verdict
"""What a stage computes, and what is cached."""


class Stage(StrEnum):
    """The stages whose results are cached."""

    DETECT = "detect"
    CAPTION = "caption"
    VERIFY = "verify"


def _expand_box(row: Any) -> Any:
    """A region whose box is ``[x1, y1, x2, y2]`` -> a region whose box has named fields."""
    match row:
        case {"box": [x1, y1, x2, y2]}:
            box = {"x1": x1, "y1": y1, "x2": x2, "y2": y2, "frame": Frame.PIXEL}
            return {**row, "box": box}
    return row


_ADAPTERS: Final[dict[Stage, TypeAdapter[Any]]] = {
    Stage.DETECT: TypeAdapter(tuple[Annotated[Region, BeforeValidator(_expand_box)], ...]),
    Stage.CAPTION: TypeAdapter(Caption),
    Stage.VERIFY: TypeAdapter(Verdict),
}


def digest_json(value: Any) -> str:
    """Digest of a plain JSON value; equal values have equal digests."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    # File names that are not UTF-8 contain lone surrogates.
    return hashlib.blake2b(text.encode(errors="surrogatepass"), digest_size=16).hexdigest()


def encode_box(box: Box) -> list[float]:
    """PIXEL corners."""
    assert box.frame is Frame.PIXEL
    return list(box.corners)


def encode_region(region: Region) -> dict[str, Any]:
    """Label, box and score; ``sure`` only where it is false."""
    row = {"label": region.label, "box": encode_box(region.box), "score": region.score}
    return row if region.sure else {**row, "sure": False}


def encode_crop(crop: Crop | None) -> dict[str, Any] | None:
    """Region and box; None for the whole image."""
    if crop is None:
        return None
    return {"region": encode_region(crop.region), "box": encode_box(crop.box)}


def encode_verified_caption(verified: VerifiedCaption) -> dict[str, Any]:
    """The generated caption, its verdicts and the final text."""
    return {
        "crop": encode_crop(verified.crop),
        "caption": _ADAPTERS[Stage.CAPTION].dump_python(verified.caption),
        "verdicts": [_ADAPTERS[Stage.VERIFY].dump_python(one) for one in verified.verdicts],
        "text": verified.text,
    }


def encode_captioned_image(annotated: CaptionedImage) -> dict[str, Any]:
    """Regions and captions; the image itself is left out."""
    return {
        "regions": [encode_region(region) for region in annotated.regions],
        "doubts": [encode_region(region) for region in annotated.doubts],
        "level_1": encode_verified_caption(annotated.image_caption),
        "level_2": [encode_verified_caption(caption) for caption in annotated.crop_captions],
    }


def encode_result(result: Result) -> str:
    """JSON text of a cached result."""
    if isinstance(result, tuple):
        return json.dumps([encode_region(region) for region in result])
    stage = Stage.CAPTION if isinstance(result, Caption) else Stage.VERIFY
    return json.dumps(_ADAPTERS[stage].dump_python(result))


def decode_result(stage: Stage, text: str) -> Result:
    """The result in a JSON text. Raises ValueError."""
    # Not validate_json, which refuses the lone surrogates of file names that are not UTF-8.
    return _ADAPTERS[stage].validate_python(parse_json(text))
