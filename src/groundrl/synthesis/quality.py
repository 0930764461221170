"""How well a verifier finds the errors that the embedded teacher planted and recorded."""

from collections import Counter
from dataclasses import dataclass, field

from groundrl.detectors.records import InputImage
from groundrl.intervals import wilson
from groundrl.language.reading import split_label
from groundrl.synthesis.annotations import (
    PLANTABLE_KINDS,
    CaptionedImage,
    FinalDecision,
    VerifiedCaption,
)
from groundrl.synthesis.retries import is_parsed
from groundrl.synthesis.roles import ImageView
from groundrl.synthesis.teachers.facts import collect_facts
from groundrl.world.source import SceneImage


def compare_with_planted(image: InputImage, verified: VerifiedCaption) -> str:
    """ "caught", "missed", "false alarm" where the caption has no error and was not kept, else
    empty."""
    changed = verified.final_decision is not FinalDecision.KEPT
    if verified.caption.planted:
        return "caught" if changed else "missed"
    return "false alarm" if changed and is_error_free(image, verified) else ""


def is_error_free(image: InputImage, verified: VerifiedCaption) -> bool:
    """Whether no error was planted, the caption could be parsed, and its crop shows an object of
    the detected class (known for embedded scenes only; assumed for photographs)."""
    if verified.caption.planted or not is_parsed(verified.caption):
        return False
    if verified.crop is None or not isinstance(image.source, SceneImage):
        return True
    objects = collect_facts(ImageView(image=image, crop=verified.crop, regions=())).objects
    return bool(objects) and objects[0].noun == split_label(verified.crop.region.label)[1]


@dataclass(slots=True)
class CaptionStatistics:
    """Counts of captions, verdicts, tokens and cost, added up image by image."""

    counts: Counter[str] = field(default_factory=Counter)
    cost: float = 0.0
    """Of all captions and verdicts, in the currency of ``spending.price``."""

    def add(self, annotated: CaptionedImage) -> None:
        """Count the captions of both levels of an image."""
        for level, captions in ((1, [annotated.image_caption]), (2, annotated.crop_captions)):
            for verified in captions:
                self._count_verdicts(level, verified)
                self._compare_with_planted(annotated.image, verified)

    def _count_verdicts(self, level: int, verified: VerifiedCaption) -> None:
        self.counts.update([f"level_{level}/{verified.final_decision}", "captions"])
        self.counts.update(f"verdicts/{one.by}/{one.decision}" for one in verified.verdicts)
        if verified.final_decision is FinalDecision.REJECTED:
            self.counts[f"rejected/{verified.verdicts[-1].rejection_kind}"] += 1
        for answer in (verified.caption, *verified.verdicts):
            self.counts["tokens"] += answer.tokens
            self.cost += answer.cost

    def _compare_with_planted(self, image: InputImage, verified: VerifiedCaption) -> None:
        changed = verified.final_decision is not FinalDecision.KEPT
        flagged = {flaw.kind for flaw in verified.flaws}
        self.counts.update(f"flagged/{kind}" for kind in flagged)
        if not verified.caption.planted and not is_error_free(image, verified):
            if is_parsed(verified.caption):
                self.counts["false_regions"] += 1
                self.counts["false_regions_kept"] += not changed
            return
        planted = {flaw.kind for flaw in verified.caption.planted}
        spans = [flaw.span for flaw in verified.caption.planted]
        for kind in flagged:
            self.counts[f"judged/{kind}"] += 1
            self.counts[f"right/{kind}"] += kind in planted
        for kind in planted:
            self.counts[f"planted/{kind}"] += 1
            self.counts[f"caught/{kind}"] += changed
        if planted:
            self.counts["planted"] += 1
            self.counts["survived"] += any(span in (verified.text or "") for span in spans)
        else:
            self.counts["clean"] += 1
            self.counts["clean_flagged"] += changed
            self.counts["clean_rejected"] += verified.text is None

    def compute_quality(self) -> dict[str, float]:
        """Fractions from 0 to 1, each with its 95 % interval and its ``_n``; empty where no errors
        were planted.

        ``recall/<kind>``: of the captions with such an error, those that were not kept.
        ``precision/<kind>``: of the captions flagged for such an error, those that have it; without
        captions of false regions, which are crops that do not show the detected class.
        ``false_regions_kept``: of the captions of false regions, those that were kept.
        ``clean_flagged``, ``clean_rejected``: of the captions without an error, those that were not
        kept, and those that were rejected.
        ``survived``: of the captions with an error, those whose final text still contains it.
        """
        count = self.counts
        if not count["planted"]:
            return {}
        quality: dict[str, float] = {}
        for kind in PLANTABLE_KINDS:
            quality |= _share(f"recall/{kind}", count[f"caught/{kind}"], count[f"planted/{kind}"])
            quality |= _share(f"precision/{kind}", count[f"right/{kind}"], count[f"judged/{kind}"])
        quality |= _share("clean_flagged", count["clean_flagged"], count["clean"])
        quality |= _share("clean_rejected", count["clean_rejected"], count["clean"])
        kept, false = count["false_regions_kept"], count["false_regions"]
        quality |= _share("false_regions_kept", kept, false)
        return quality | _share("survived", count["survived"], count["planted"])


def _share(name: str, hits: int, n: int) -> dict[str, float]:
    """``hits / n`` with its Wilson interval; empty where ``n`` is 0."""
    return {**wilson(hits, n).figures(name), f"{name}_n": float(n)} if n else {}
