"""Which images of a synthesis a page shows: few of many, and something of everything."""

from bisect import insort
from collections import Counter
from dataclasses import dataclass, field
from typing import Final

from groundrl.records import Sample
from groundrl.synthesis.annotations import CaptionedImage, Decision, FinalDecision, VerifiedCaption
from groundrl.synthesis.quality import compare_with_planted

MAX_IMAGES: Final = 200
"""Images."""
MAX_REASONS: Final = 2000
"""Different ones that are counted apart; models may give one reason per caption."""
OTHERS: Final = "(other reasons)"
WORST_FIRST: Final = (FinalDecision.REJECTED, FinalDecision.REPAIRED, FinalDecision.KEPT)


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownImage:
    """An image and what was made of it; its pixels are loaded when it is drawn."""

    annotated: CaptionedImage
    samples: tuple[Sample, ...]
    split: str

    @property
    def captions(self) -> tuple[VerifiedCaption, ...]:
        """Level 1, then level 2."""
        return (self.annotated.image_caption, *self.annotated.crop_captions)

    @property
    def group(self) -> tuple[int, str, str]:
        """Worst ending, the first error of a caption that ended so, and whether an error was
        missed or imagined."""
        endings = [WORST_FIRST.index(caption.final_decision) for caption in self.captions]
        worst = min(endings)
        first = self.captions[endings.index(worst)].flaws
        planted = {compare_with_planted(self.annotated.image, one) for one in self.captions}
        told = next((one for one in ("missed", "false alarm") if one in planted), "")
        return worst, first[0].kind if first else "", told


@dataclass(slots=True)
class Showcase:
    """At most ``most`` images, in constant memory. While there are more, the largest group gives
    up one, so that rare errors stay; within a group the digests draw lots."""

    most: int = MAX_IMAGES
    seen: int = 0
    reasons: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    """(verdict, what is wrong, reason) -> captions; without ``keep``. The last word on a caption
    that is thrown away is ``reject``, whatever its verifier hoped for."""
    _groups: dict[tuple[int, str, str], list[ShownImage]] = field(default_factory=dict)

    def add(self, shown: ShownImage) -> None:
        """Look at the next image."""
        self.seen += 1
        for caption in shown.captions:
            self._count(caption)
        insort(self._groups.setdefault(shown.group, []), shown, key=_lot)
        if sum(map(len, self._groups.values())) > self.most:
            largest = max(self._groups, key=lambda group: (len(self._groups[group]), group))
            self._groups[largest].pop()

    def _count(self, caption: VerifiedCaption) -> None:
        for verdict in caption.verdicts:
            if verdict.decision is not Decision.KEEP:
                gone = caption.text is None and verdict is caption.verdicts[-1]
                decision = Decision.REJECT if gone else verdict.decision
                key = (str(decision), verdict.rejection_kind, verdict.reason)
                known = key in self.reasons or len(self.reasons) < MAX_REASONS
                self.reasons[key if known else (*key[:2], OTHERS)] += 1

    def most_frequent(self, most: int, verdict: str = "") -> list[tuple[tuple[str, str, str], int]]:
        """Of that verdict, or of all, with their numbers; equally frequent ones by their words."""
        found = [one for one in self.reasons.items() if verdict in ("", one[0][0])]
        return sorted(found, key=lambda one: (-one[1], one[0]))[:most]

    def picked(self) -> list[ShownImage]:
        """Rejected first, then repaired, then kept."""
        return [shown for group in sorted(self._groups) for shown in self._groups[group]]


def _lot(shown: ShownImage) -> tuple[str, str]:
    return shown.annotated.image.digest, shown.annotated.image.id
