"""How well a verifier catches errors that the teacher planted and owned up to."""

from collections import Counter
from dataclasses import dataclass, field

from groundrl.detectors.records import InputImage
from groundrl.intervals import wilson
from groundrl.synthesis.annotations import AnnotatedInput, CheckedCaption, ErrorKind, FinalDecision
from groundrl.synthesis.reading import split_label
from groundrl.synthesis.retries import is_readable
from groundrl.synthesis.roles import View
from groundrl.synthesis.teachers.facts import facts_of
from groundrl.world.source import SceneImage

PLANTABLE = tuple(kind for kind in ErrorKind if kind is not ErrorKind.OTHER)


def planted_error(image: InputImage, checked: CheckedCaption) -> str:
    """What became of it: "caught", "missed", "false alarm" where none was planted and one was
    found, else empty."""
    wrong = checked.ending is not FinalDecision.KEPT
    if checked.caption.planted:
        return "caught" if wrong else "missed"
    return "false alarm" if wrong and is_clean(image, checked) else ""


def is_clean(image: InputImage, checked: CheckedCaption) -> bool:
    """Whether nothing is wrong with it: no error was planted, it could be read, and its crop shows
    what the detector said; of photographs the last is not known."""
    if checked.caption.planted or not is_readable(checked.caption):
        return False
    if checked.crop is None or not isinstance(image.source, SceneImage):
        return True
    things = facts_of(View(image=image, crop=checked.crop, regions=())).things
    return bool(things) and things[0].noun == split_label(checked.crop.region.label)[1]


@dataclass(slots=True)
class Tally:
    """Counts over captions, one image after the other."""

    counts: Counter[str] = field(default_factory=Counter)
    cost: float = 0.0
    """Of all captions and verdicts, in the currency of whoever is paid."""

    def add(self, annotated: AnnotatedInput) -> None:
        """Count both levels of an image."""
        for level, found in ((1, [annotated.whole]), (2, annotated.branches)):
            for checked in found:
                self._count(level, checked)
                self._measure(annotated.image, checked)

    def _count(self, level: int, checked: CheckedCaption) -> None:
        self.counts.update([f"level_{level}/{checked.ending}", "captions"])
        self.counts.update(f"verdicts/{one.by}/{one.decision}" for one in checked.verdicts)
        if checked.ending is FinalDecision.REJECTED:
            self.counts[f"rejected/{checked.verdicts[-1].fault}"] += 1
        for said in (checked.caption, *checked.verdicts):
            self.counts["tokens"] += said.tokens
            self.cost += said.cost

    def _measure(self, image: InputImage, checked: CheckedCaption) -> None:
        wrong = checked.ending is not FinalDecision.KEPT
        flagged = {flaw.kind for flaw in checked.flaws}
        self.counts.update(f"flagged/{kind}" for kind in flagged)
        if not checked.caption.planted and not is_clean(image, checked):
            if is_readable(checked.caption):
                self.counts["false_regions"] += 1
                self.counts["false_regions_kept"] += not wrong
            return
        planted = {flaw.kind for flaw in checked.caption.planted}
        spans = [flaw.span for flaw in checked.caption.planted]
        for kind in flagged:
            self.counts[f"judged/{kind}"] += 1
            self.counts[f"right/{kind}"] += kind in planted
        for kind in planted:
            self.counts[f"planted/{kind}"] += 1
            self.counts[f"caught/{kind}"] += wrong
        if planted:
            self.counts["planted"] += 1
            self.counts["survived"] += any(span in (checked.text or "") for span in spans)
        else:
            self.counts["clean"] += 1
            self.counts["clean_flagged"] += wrong
            self.counts["clean_rejected"] += checked.text is None

    def figures(self) -> dict[str, float]:
        """``recall/<kind>``: share of captions with that error that were not kept;
        ``precision/<kind>``: share of captions found wrong in that way that are, those of crops
        that show something else than the detector said aside; ``false_regions_kept``: share of
        these, however right of what is shown, that were kept;
        ``clean_flagged``, ``clean_rejected``: shares of captions without an error that were not
        kept, and that were thrown away; ``survived``: share of errors that are still there in the
        end. Empty where nothing was planted."""
        count = self.counts
        if not count["planted"]:
            return {}
        found: dict[str, float] = {}
        for kind in PLANTABLE:
            found |= _share(f"recall/{kind}", count[f"caught/{kind}"], count[f"planted/{kind}"])
            found |= _share(f"precision/{kind}", count[f"right/{kind}"], count[f"judged/{kind}"])
        found |= _share("clean_flagged", count["clean_flagged"], count["clean"])
        found |= _share("clean_rejected", count["clean_rejected"], count["clean"])
        kept, false = count["false_regions_kept"], count["false_regions"]
        found |= _share("false_regions_kept", kept, false)
        return found | _share("survived", count["survived"], count["planted"])


def _share(name: str, hits: int, n: int) -> dict[str, float]:
    return {**wilson(hits, n).figures(name), f"{name}_n": float(n)} if n else {}
