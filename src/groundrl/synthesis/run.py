"""Images in, verified grounded training data out."""

import json
import time
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

from groundrl.chat.spending import BudgetSpent
from groundrl.detectors.records import InputImage
from groundrl.errors import UserError
from groundrl.progress import ProgressLine
from groundrl.records import Provenance
from groundrl.report.page import REPORT
from groundrl.report.tables import duration
from groundrl.synthesis.annotate import Annotator
from groundrl.synthesis.annotations import Decision
from groundrl.synthesis.card import data_card
from groundrl.synthesis.quality import Tally
from groundrl.synthesis.report.page import synthesis_page
from groundrl.synthesis.report.selection import ImageResult, ImageSelection
from groundrl.synthesis.roles import ImageCollection
from groundrl.synthesis.samples import QuestionPlan
from groundrl.synthesis.store import Store
from groundrl.synthesis.workers import Task, Worker, WorkerResult
from groundrl.synthesis.writing import CARD, LEFT_OUT_FILE, Writer, write_text
from groundrl.task_runner import TaskRunner, split_into_tasks

MAX_SHOWN = 5
"""Reasons in an error message."""
MAX_REASONS = 12
"""Of rejections, in the card."""


@dataclass(slots=True, kw_only=True)
class Synthesis:
    """Everything that a run needs, built but not started."""

    images: ImageCollection
    annotator: Callable[[], Annotator]
    """Builds it; called where it works."""
    runner: TaskRunner
    concurrency: int
    """Images that a worker of the runner has under way at once."""
    questions: QuestionPlan
    licence: str
    """Of the images."""
    cache: Path
    """What was found out about images, by whatever run."""
    shard_size: int
    """Samples of a Parquet file."""
    run_dir: Path
    tally: Tally = field(default_factory=Tally)
    counts: Counter[str] = field(default_factory=Counter)
    unlabelled: dict[str, str] = field(default_factory=dict)
    """Why images that can be read are left out, by id."""
    spent: BudgetSpent | None = None
    """Somebody's budget, which ended the run before its last image."""
    made_by: Mapping[str, Any] = field(default_factory=dict)
    """Names of whoever made what; empty as long as nothing is made."""
    selection: ImageSelection = field(default_factory=ImageSelection)

    def run(self) -> int:
        """Write the run directory; returns how many images are unfinished, since somebody could
        not be reached, or a budget is ``spent``. What an earlier run found out is not asked
        again."""
        start = time.perf_counter()
        progress = ProgressLine(len(self.images), "images")
        with (
            Store(self.cache) as store,
            Writer(self.run_dir, self.shard_size) as writer,
            progress,
            closing(self._done(store)) as found,
        ):
            for done in found:
                self._count(done)
                if done.written is not None:
                    made = done.written
                    writer.add(made.record, made.samples, made.split)
                gone = len(self.images.left_out) + len(self.unlabelled)
                progress.update(self.counts["images"] + gone, more=self._told(start))
            if self.spent is not None:
                rest = len(self.images) - self.counts["images"] - len(self._left_out)
                self.counts.update(images=rest, unfinished=rest)
            self._require_some()
        self._write(time.perf_counter() - start)
        print(self.run_dir)
        return self.counts["unfinished"]

    @property
    def _left_out(self) -> dict[str, str]:
        """Reasons by the ids of images."""
        return {**self.images.left_out, **self.unlabelled}

    def _require_some(self) -> None:
        """Files of an earlier run are not replaced by empty ones."""
        if not self.counts["images"]:
            reasons = [f"  {name}: {why}" for name, why in [*self._left_out.items()][:MAX_SHOWN]]
            lines = "\n".join([f"{self.images.name}: not one usable image", *reasons])
            raise UserError(f"{lines}\nType images=<folder>, and labels= of the same images.")
        if self.counts["unfinished"] == self.counts["images"]:
            raise self.spent or UserError(
                "not one image is finished, since somebody could not be reached. What was found "
                "out is kept: type the same command again when the server is back"
            )

    @property
    def _source(self) -> Provenance:
        return Provenance(dataset=self.images.name, split="all", licence=self.licence)

    def _done(self, store: Store) -> Generator[WorkerResult]:
        """Each is kept before anybody sees it. When somebody refuses or a budget is spent, what is
        under way is finished and kept, and nothing new is begun."""
        refused: list[UserError] = []
        seen: set[str] = set()
        twins: list[InputImage] = []

        def tasks(images: Iterable[InputImage]) -> Iterator[Task]:
            for image in images:
                if refused or self.spent:
                    return
                if images is not twins and image.digest in seen:
                    twins.append(image)
                    continue
                seen.add(image.digest)
                yield image, store.known(image.digest)

        worker = Worker(
            annotator=self.annotator,
            questions=self.questions,
            source=self._source,
            concurrency=self.concurrency,
        )
        # Two at once: a worker has images left while it finishes the last ones of a task.
        with self.runner.started(worker, at_once=2) as work:
            # What is there twice comes last: all that was found out is known by then.
            for images in (self.images, twins):
                for done in work(split_into_tasks(tasks(images), self.runner)):
                    outcome = done.outcome
                    store.keep(outcome.image.digest, outcome.results)
                    if isinstance(outcome.error, BudgetSpent):
                        self.spent = outcome.error
                    elif outcome.error is not None:
                        refused.append(outcome.error)
                    if not refused:
                        yield done
                if refused:
                    raise refused[0]

    def _count(self, done: WorkerResult) -> None:
        if done.outcome.left_out is not None:
            self.unlabelled[done.outcome.image.id] = done.outcome.left_out
            return
        self.counts["images"] += 1
        annotated, made = done.outcome.annotated, done.written
        if annotated is None or made is None:
            self.counts["unfinished"] += 1
            return
        self.made_by = made.record["made_by"]
        self.tally.add(annotated)
        self.selection.add(ImageResult(annotated=annotated, samples=made.samples, split=made.split))
        self.counts.update(f"samples/{made.split}/{s.kind}" for s in made.samples)
        self.counts.update(f"dropped/{kind}" for kind in made.dropped)
        self.counts.update([f"images/{made.split}", f"licences/{made.record['licence']}"])
        self.counts["regions"] += len(annotated.regions)

    def _rates(self, seconds: float) -> list[str]:
        """Images per second; tokens and cost where there are any."""
        told = [f"{self.counts['images'] / max(seconds, 1e-9):.1f} images/s"]
        if self.tally.counts["tokens"]:
            told.append(f"{self.tally.counts['tokens']:,} tokens")
        if self.tally.cost:
            told.append(f"cost {self.tally.cost:.2f}")
        return told

    def _told(self, start: float) -> list[str]:
        speed, *spent = self._rates(time.perf_counter() - start)
        told, tally = [speed], self.tally.counts
        if tally["captions"]:
            rejected = tally["level_1/rejected"] + tally["level_2/rejected"]
            told.append(f"{100 * rejected / tally['captions']:.0f} % rejected")
        if self.counts["unfinished"]:
            spent.append(f"{self.counts['unfinished']} unfinished")
        return told + spent

    def _write(self, seconds: float) -> None:
        left_out = self._left_out
        (self.run_dir / LEFT_OUT_FILE).unlink(missing_ok=True)
        if left_out:
            self.counts["left_out"] = len(left_out)
            lines = "".join(f"{name}\t{reason}\n" for name, reason in sorted(left_out.items()))
            write_text(self.run_dir / LEFT_OUT_FILE, lines)
            print(f"{len(left_out)} images are left out: {self.run_dir / LEFT_OUT_FILE}")
        figures = {
            **{name: float(value) for name, value in sorted(self.counts.items())},
            **{name: float(value) for name, value in sorted(self.tally.counts.items())},
            **{f"verification/{k}": v for k, v in self.tally.figures().items()},
            "cost": self.tally.cost,
        }
        told = self.selection.most_frequent(MAX_REASONS, Decision.REJECT)
        reasons = [(what, why, count) for (_, what, why), count in told]
        text = data_card(self._source, self.made_by, figures, reasons, version("groundrl"))
        write_text(self.run_dir / CARD, text)
        report = {**figures, "time": {"total": seconds}}
        write_text(self.run_dir / "metrics.json", json.dumps(report, indent=1))
        self._write_report(figures, seconds)

    def _write_report(self, figures: Mapping[str, float], seconds: float) -> None:
        config = self.run_dir / "resolved.yaml"
        images = self.counts["images"] - self.counts["unfinished"]
        samples = sum(n for name, n in self.counts.items() if name.startswith("samples/"))
        heads = sorted(name for name in self.counts if name.startswith("licences/"))
        licences = ", ".join(name.partition("/")[2] for name in heads)
        facts = [f"licence of the images: {licences}", duration(seconds)]
        facts += self._rates(seconds)
        text = synthesis_page(
            f"{samples:,} samples from {images:,} images of {self.images.name}",
            facts,
            self.made_by,
            figures,
            self.selection,
            config.read_text() if config.is_file() else "",
        )
        write_text(self.run_dir / REPORT, text)
