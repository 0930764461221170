"""Counts of a synthesis run, added up image by image."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from groundrl.chat.spending import BudgetSpent
from groundrl.synthesis.quality import CaptionStatistics
from groundrl.synthesis.report.showcase import Showcase, ShownImage
from groundrl.synthesis.workers import WorkerResult


@dataclass(slots=True)
class RunTotals:
    """What a run has done so far."""

    counts: Counter[str] = field(default_factory=Counter)
    captions: CaptionStatistics = field(default_factory=CaptionStatistics)
    skipped: dict[str, str] = field(default_factory=dict)
    """Path or id of each image that cannot be used -> reason."""
    budget_spent: BudgetSpent | None = None
    """Raised by a model whose budget ended the run before its last image."""
    components: Mapping[str, Any] = field(default_factory=dict)
    """Part of the data -> name of the component that made it; empty before the first image."""
    showcase: Showcase = field(default_factory=Showcase)

    @property
    def unfinished(self) -> int:
        """Images without a result, because a model was unreachable or a budget was spent."""
        return self.counts["unfinished"]

    def add(self, result: WorkerResult) -> None:
        """Count one image."""
        annotation, made = result.annotation, result.samples
        if annotation.skip_reason is not None:
            self.skipped[annotation.image.id] = annotation.skip_reason
            return
        self.counts["images"] += 1
        annotated = annotation.annotated
        if annotated is None or made is None:
            self.counts["unfinished"] += 1
            return
        self.components = made.record["made_by"]
        self.captions.add(annotated)
        self.showcase.add(ShownImage(annotated=annotated, samples=made.samples, split=made.split))
        self.counts.update(f"samples/{made.split}/{sample.kind}" for sample in made.samples)
        self.counts.update(f"dropped/{kind}" for kind in made.dropped_kinds)
        self.counts.update([f"images/{made.split}", f"licences/{made.record['licence']}"])
        self.counts["regions"] += len(annotated.regions)

    def count_unfinished(self, images: int) -> None:
        """Count the rest of all ``images`` as unfinished: a budget ended the run before them."""
        rest = images - self.counts["images"] - len(self.skipped)
        self.counts.update(images=rest, unfinished=rest)

    def compute_figures(self) -> dict[str, float]:
        """All counts, and the quality of the verification, under their names in
        ``metrics.json``."""
        counts = {**self.counts, **({"skipped": len(self.skipped)} if self.skipped else {})}
        return {
            **{name: float(value) for name, value in sorted(counts.items())},
            **{name: float(value) for name, value in sorted(self.captions.counts.items())},
            **{f"verification/{k}": v for k, v in self.captions.compute_quality().items()},
            "cost": self.captions.cost,
        }

    def list_rates(self, seconds: float) -> list[str]:
        """Images per second; tokens and cost where there are any."""
        rates = [f"{self.counts['images'] / max(seconds, 1e-9):.1f} images/s"]
        if self.captions.counts["tokens"]:
            rates.append(f"{self.captions.counts['tokens']:,} tokens")
        if self.captions.cost:
            rates.append(f"cost {self.captions.cost:.2f}")
        return rates

    def list_progress(self, seconds: float) -> list[str]:
        """For the progress line: speed, rejected captions, tokens, cost, unfinished images."""
        speed, *spent = self.list_rates(seconds)
        facts, captions = [speed], self.captions.counts
        if captions["captions"]:
            rejected = captions["level_1/rejected"] + captions["level_2/rejected"]
            facts.append(f"{100 * rejected / captions['captions']:.0f} % rejected")
        if self.unfinished:
            spent.append(f"{self.unfinished} unfinished")
        return facts + spent
