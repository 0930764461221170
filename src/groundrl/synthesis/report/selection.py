"""Which images of a synthesis a page shows: few of many, with every kind of error among them."""

from bisect import insort
from collections import Counter
from dataclasses import dataclass, field
from typing import Final

from groundrl.records import Sample
from groundrl.synthesis.annotations import CaptionedImage, Decision, FinalDecision, VerifiedCaption
from groundrl.synthesis.quality import compare_with_planted

MAX_IMAGES: Final = 200
MAX_REASONS: Final = 2000
"""Different reasons that are counted one by one; a model may give another reason per caption."""
OTHER_REASONS: Final = "(other reasons)"
WORST_FIRST: Final = (FinalDecision.REJECTED, FinalDecision.REPAIRED, FinalDecision.KEPT)


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageResult:
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
        """The worst final decision (place in ``WORST_FIRST``), the first error of a caption with
        that decision, and "missed" or "false alarm" where the verifier was wrong."""
        decisions = [WORST_FIRST.index(caption.final_decision) for caption in self.captions]
        worst = min(decisions)
        errors = self.captions[decisions.index(worst)].flaws
        comparisons = {compare_with_planted(self.annotated.image, one) for one in self.captions}
        mistake = next((one for one in ("missed", "false alarm") if one in comparisons), "")
        return worst, errors[0].kind if errors else "", mistake


@dataclass(slots=True)
class ImageSelection:
    """At most ``size`` images, in constant memory, and the reasons of all verdicts.

    When there are more, the largest group gives up one, so that rare errors stay. Within a group
    the smallest digests stay: a choice at random, and the same in every run.
    """

    size: int = MAX_IMAGES
    seen: int = 0
    reasons: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    """(decision, error, reason) -> captions; without decisions to keep. The last verdict on a
    rejected caption counts as ``reject`` even where it asked for a repair."""
    _groups: dict[tuple[int, str, str], list[ImageResult]] = field(default_factory=dict)

    def add(self, image: ImageResult) -> None:
        """Count the reasons of an image, and select it for now."""
        self.seen += 1
        for caption in image.captions:
            self._count_reasons(caption)
        insort(self._groups.setdefault(image.group, []), image, key=_selection_key)
        if sum(map(len, self._groups.values())) > self.size:
            largest = max(self._groups, key=lambda group: (len(self._groups[group]), group))
            self._groups[largest].pop()

    def _count_reasons(self, caption: VerifiedCaption) -> None:
        for verdict in caption.verdicts:
            if verdict.decision is not Decision.KEEP:
                rejected = caption.text is None and verdict is caption.verdicts[-1]
                decision = Decision.REJECT if rejected else verdict.decision
                key = (str(decision), verdict.rejection_kind, verdict.reason)
                has_place = key in self.reasons or len(self.reasons) < MAX_REASONS
                self.reasons[key if has_place else (*key[:2], OTHER_REASONS)] += 1

    def most_frequent(
        self, count: int, decision: str = ""
    ) -> list[tuple[tuple[str, str, str], int]]:
        """The ``count`` most frequent reasons of that decision, or of all, with their numbers;
        equally frequent ones in alphabetical order."""
        found = [one for one in self.reasons.items() if decision in ("", one[0][0])]
        return sorted(found, key=lambda one: (-one[1], one[0]))[:count]

    @property
    def images(self) -> list[ImageResult]:
        """The selected ones: rejected captions first, then repaired, then kept ones."""
        return [image for group in sorted(self._groups) for image in self._groups[group]]


def _selection_key(image: ImageResult) -> tuple[str, str]:
    return image.annotated.image.digest, image.annotated.image.id
