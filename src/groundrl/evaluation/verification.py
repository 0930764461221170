"""How well a verifier catches errors that the teacher planted and owned up to."""

from collections import Counter
from dataclasses import dataclass, field

from groundrl.evaluation.statistics import wilson
from groundrl.synthesis.records import Annotated, Checked, ErrorKind

PLANTABLE = tuple(kind for kind in ErrorKind if kind is not ErrorKind.OTHER)


def planted_error(checked: Checked) -> str:
    """What became of it: "caught", "missed", "false alarm" where none was planted and one was
    found, else empty."""
    if checked.caption.planted:
        return "caught" if checked.flaws else "missed"
    # A crop that shows something else than its label is turned down, whatever was said of it.
    kinds = {flaw.kind for flaw in checked.flaws}
    return "false alarm" if kinds and ErrorKind.OTHER not in kinds else ""


@dataclass(slots=True)
class Tally:
    """Counts over captions, one picture after the other."""

    counts: Counter[str] = field(default_factory=Counter)
    cost: float = 0.0
    """Of all captions and verdicts, in the currency of whoever is paid."""

    def add(self, annotated: Annotated) -> None:
        """Count both levels of a picture."""
        for level, found in ((1, [annotated.whole]), (2, annotated.branches)):
            for checked in found:
                self._count(level, checked)

    def _count(self, level: int, checked: Checked) -> None:
        flagged = {flaw.kind for flaw in checked.flaws}
        planted = {flaw.kind for flaw in checked.caption.planted}
        spans = [flaw.span for flaw in checked.caption.planted]
        self.counts.update([f"level_{level}/{checked.ending}", "captions"])
        for said in (checked.caption, *checked.verdicts):
            self.counts["tokens"] += said.tokens
            self.cost += said.cost
        for kind in flagged:
            self.counts[f"flagged/{kind}"] += 1
            self.counts[f"right/{kind}"] += kind in planted
        for kind in planted:
            self.counts[f"planted/{kind}"] += 1
            self.counts[f"caught/{kind}"] += bool(flagged)
        if planted:
            self.counts["planted"] += 1
            self.counts["survived"] += any(span in (checked.text or "") for span in spans)
        # A crop that shows something else than its label is turned down, whatever was said of it.
        elif ErrorKind.OTHER not in flagged:
            self.counts["clean"] += 1
            self.counts["clean_flagged"] += bool(flagged)
            self.counts["clean_rejected"] += checked.text is None

    def figures(self) -> dict[str, float]:
        """``recall/<kind>``: share of captions with that error that were not kept;
        ``precision/<kind>``: share of captions found wrong in that way that are;
        ``clean_flagged``, ``clean_rejected``: shares of captions without an error that were not
        kept, and that were thrown away; ``survived``: share of errors that are still there in the
        end. Empty where nothing was planted."""
        count = self.counts
        if not count["planted"]:
            return {}
        found: dict[str, float] = {}
        for kind in PLANTABLE:
            found |= _share(f"recall/{kind}", count[f"caught/{kind}"], count[f"planted/{kind}"])
            found |= _share(f"precision/{kind}", count[f"right/{kind}"], count[f"flagged/{kind}"])
        found |= _share("clean_flagged", count["clean_flagged"], count["clean"])
        found |= _share("clean_rejected", count["clean_rejected"], count["clean"])
        return found | _share("survived", count["survived"], count["planted"])


def _share(name: str, hits: int, n: int) -> dict[str, float]:
    return {**wilson(hits, n).figures(name), f"{name}_n": float(n)} if n else {}
