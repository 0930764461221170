"""Small annotated images."""

from pathlib import Path

from PIL import Image

from groundrl.boxes import Box, Frame
from groundrl.detectors.records import InputImage, Region
from groundrl.records import Grounding, ImageFile, Provenance, Sample
from groundrl.synthesis.annotations import (
    Caption,
    CaptionedImage,
    CaptionError,
    Crop,
    Decision,
    ErrorKind,
    Verdict,
    VerifiedCaption,
)
from groundrl.synthesis.report.selection import ImageResult

KEEP = Verdict(decision=Decision.KEEP, reason="nothing speaks against it")


def region(label: str, number: int = 0) -> Region:
    """The ``number``-th of boxes that stand side by side in an image of 64 x 48."""
    x, y = 6.0 * (number % 10), 9.0 * (number // 10)
    box = Box(x1=x, y1=y, x2=x + 6, y2=y + 8, frame=Frame.PIXEL)
    return Region(label=label, box=box, score=0.5)


def repair(span: str, repaired: str, kind: ErrorKind = ErrorKind.ATTRIBUTE) -> Verdict:
    """It is wrong at ``span``."""
    flaw = CaptionError(kind=kind, span=span)
    return Verdict(decision=Decision.REPAIR, reason="it looks blue", flaw=flaw, repaired=repaired)


def reject(span: str, kind: ErrorKind = ErrorKind.OBJECT) -> Verdict:
    """It is wrong at ``span``."""
    flaw = CaptionError(kind=kind, span=span)
    return Verdict(decision=Decision.REJECT, reason="no dog is here", flaw=flaw)


def checked(
    text: str, *verdicts: Verdict, of: Region | None = None, planted: tuple[CaptionError, ...] = ()
) -> VerifiedCaption:
    """A caption of the whole image, or of a region's crop."""
    left: str | None = text
    for verdict in verdicts:
        left = verdict.repaired if verdict.decision is Decision.REPAIR else left
        left = None if verdict.decision is Decision.REJECT else left
    return VerifiedCaption(
        crop=None if of is None else Crop(region=of, box=of.box),
        caption=Caption(text=text, planted=planted),
        verdicts=verdicts,
        text=left,
    )


def shown(
    folder: Path,
    name: str,
    whole: VerifiedCaption,
    *branches: VerifiedCaption,
    more: tuple[Region, ...] = (),
) -> ImageResult:
    """An image with its captions and one question about each region that has a caption."""
    path = folder / "cup.png"
    if not path.exists():
        Image.new("RGB", (64, 48), "#886644").save(path)
    image = ImageFile(path=path, width=64, height=48)
    regions = tuple(b.crop.region for b in branches if b.crop is not None)
    samples = tuple(
        Sample(
            id=f"{name}:{k}",
            image=image,
            question=f"Where is the {one.label}?",
            rationale=("Here is the ", Grounding(label=one.label, box=one.box), "."),
            kind="locate",
            provenance=Provenance(dataset="small", split="train"),
        )
        for k, one in enumerate(regions)
    )
    annotated = CaptionedImage(
        image=InputImage(id=name, source=image, digest=f"digest of {name}"),
        regions=(*regions, *more),
        image_caption=whole,
        crop_captions=branches,
    )
    return ImageResult(annotated=annotated, samples=samples, split="train")
