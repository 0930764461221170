"""Results of the stages as plain JSON values, for the cache and for the files of a run."""

import hashlib
import json
from dataclasses import asdict
from typing import Any

from groundrl.boxes import Box, Frame
from groundrl.detectors.records import Region
from groundrl.synthesis.annotations import (
    AnnotatedInput,
    Caption,
    CaptionError,
    CheckedCaption,
    Crop,
    Decision,
    ErrorKind,
    Signer,
    Verdict,
)


def digest_of(value: Any) -> str:
    """Of plain JSON values; equal values, equal digest."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    # Lone surrogates occur in file names that are not UTF-8.
    return hashlib.blake2b(text.encode(errors="surrogatepass"), digest_size=16).hexdigest()


def box_row(box: Box) -> list[float]:
    """PIXEL corners."""
    assert box.frame is Frame.PIXEL
    return list(box.corners)


def region_row(region: Region) -> dict[str, Any]:
    """Label, box, score, and of a doubt that it is none that is sure."""
    row = {"label": region.label, "box": box_row(region.box), "score": region.score}
    return row if region.sure else {**row, "sure": False}


def read_region(row: dict[str, Any]) -> Region:
    """From ``region_row``."""
    x1, y1, x2, y2 = row["box"]
    box = Box(x1=x1, y1=y1, x2=x2, y2=y2, frame=Frame.PIXEL)
    return Region(label=row["label"], box=box, score=row["score"], sure=row.get("sure", True))


def crop_row(crop: Crop | None) -> dict[str, Any] | None:
    """Region and box; None for the whole image."""
    return None if crop is None else {"region": region_row(crop.region), "box": box_row(crop.box)}


def caption_row(caption: Caption) -> dict[str, Any]:
    """With the planted errors."""
    return asdict(caption)


def read_caption(row: dict[str, Any]) -> Caption:
    """From ``caption_row``."""
    planted = tuple(_read_flaw(flaw) for flaw in row["planted"])
    return Caption(text=row["text"], planted=planted, tokens=row["tokens"], cost=row["cost"])


def verdict_row(verdict: Verdict) -> dict[str, Any]:
    """All fields."""
    return asdict(verdict)


def read_verdict(row: dict[str, Any]) -> Verdict:
    """From ``verdict_row``."""
    return Verdict(
        decision=Decision(row["decision"]),
        reason=row["reason"],
        flaw=None if row["flaw"] is None else _read_flaw(row["flaw"]),
        repaired=row["repaired"],
        by=Signer(row["by"]),
        tokens=row["tokens"],
        cost=row["cost"],
    )


def _read_flaw(row: dict[str, Any]) -> CaptionError:
    return CaptionError(kind=ErrorKind(row["kind"]), span=row["span"])


def checked_row(checked: CheckedCaption) -> dict[str, Any]:
    """A caption, its verdicts and what is left of it."""
    return {
        "crop": crop_row(checked.crop),
        "caption": caption_row(checked.caption),
        "verdicts": [verdict_row(verdict) for verdict in checked.verdicts],
        "text": checked.text,
    }


def annotated_row(annotated: AnnotatedInput) -> dict[str, Any]:
    """Everything but the image itself."""
    return {
        "regions": [region_row(region) for region in annotated.regions],
        "doubts": [region_row(region) for region in annotated.doubts],
        "level_1": checked_row(annotated.whole),
        "level_2": [checked_row(branch) for branch in annotated.branches],
    }
