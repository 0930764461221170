"""A synthesis run: images in, verified and grounded training data out."""

import time
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from groundrl.chat.spending import BudgetSpent
from groundrl.detectors.records import InputImage
from groundrl.errors import UserError
from groundrl.records import Provenance
from groundrl.running.progress import ProgressLine
from groundrl.running.run_time import TIMES, RunTime
from groundrl.running.task_runner import TaskRunner, split_into_tasks
from groundrl.synthesis.annotate import Annotator
from groundrl.synthesis.output.summary import write_summary
from groundrl.synthesis.output.totals import RunTotals
from groundrl.synthesis.output.writing import open_writer
from groundrl.synthesis.result_cache import ResultCache
from groundrl.synthesis.roles import ImageCollection
from groundrl.synthesis.samples import QuestionPlan
from groundrl.synthesis.workers import ImageTask, Worker, WorkerResult

MAX_SHOWN: Final = 5
"""Skipped images listed in an error message."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Synthesis:
    """The parts and settings of a run."""

    images: ImageCollection
    annotator: Callable[[], Annotator]
    """Builds the annotator; called once in every worker."""
    runner: TaskRunner
    concurrency: int
    """Images that a worker annotates at once."""
    questions: QuestionPlan
    licence: str
    """Licence of the images."""
    cache: Path
    """File with the results of this and earlier runs."""
    shard_size: int
    """Samples per Parquet file."""
    run_dir: Path

    def run(self) -> RunTotals:
        """Annotate all images and write the run directory.

        Cached results are not computed again, so an interrupted run resumes where it stopped. When
        a model is unreachable or a budget is spent, the other images are finished. Raises UserError
        when a model refuses, and where no image at all could be used or finished.
        """
        totals, times, start = RunTotals(), RunTime(self.run_dir / TIMES), time.perf_counter()
        with (
            closing(ResultCache(self.cache)) as cache,
            open_writer(self.run_dir, self.shard_size) as writer,
            times.measure("total"),
            ProgressLine(len(self.images), "images") as progress,
            closing(self._annotate_all(cache, totals)) as results,
        ):
            for result in results:
                totals.add(result)
                if (samples := result.samples) is not None:
                    writer.add(samples.record, samples.samples, samples.split)
                done = totals.counts["images"] + len(totals.skipped) + len(self.images.skipped)
                progress.update(done, totals.list_progress(time.perf_counter() - start))
            totals.skipped |= self.images.skipped
            if totals.budget_spent is not None:
                totals.count_unfinished(len(self.images))
            self._check_results(totals)
        write_summary(self.run_dir, self._source, totals, times.seconds["total"])
        return totals

    @property
    def _source(self) -> Provenance:
        return Provenance(dataset=self.images.name, split="all", licence=self.licence)

    def _check_results(self, totals: RunTotals) -> None:
        """Raises UserError where there is nothing to write, so that old files are not replaced."""
        if not totals.counts["images"]:
            reasons = [f"  {name}: {why}" for name, why in [*totals.skipped.items()][:MAX_SHOWN]]
            lines = "\n".join([f"{self.images.name}: not one usable image", *reasons])
            raise UserError(f"{lines}\nType images=<folder>, and labels= of the same images.")
        if totals.unfinished == totals.counts["images"]:
            raise totals.budget_spent or UserError(
                "not one image is finished, since a model was unreachable. All results so far are "
                "kept: type the same command again when the server is back"
            )

    def _annotate_all(self, cache: ResultCache, totals: RunTotals) -> Generator[WorkerResult]:
        """Annotate all images; results are cached before they are yielded.

        After a refusal or a spent budget no new image is started; images in progress are finished.
        """
        refusals: list[UserError] = []
        digests: set[str] = set()
        duplicates: list[InputImage] = []

        def make_tasks(images: Iterable[InputImage]) -> Iterator[ImageTask]:
            for image in images:
                if refusals or totals.budget_spent is not None:
                    return
                if images is not duplicates and image.digest in digests:
                    duplicates.append(image)
                    continue
                digests.add(image.digest)
                yield image, cache.load(image.digest)

        worker = Worker(
            annotator=self.annotator,
            questions=self.questions,
            source=self._source,
            concurrency=self.concurrency,
        )
        # Two tasks at once: a worker starts the next one while the last images of one are finished.
        with self.runner.start_workers(worker, concurrency=2) as run_tasks:
            # Duplicates come last: by then all results of their originals are cached.
            for images in (self.images, duplicates):
                for result in run_tasks(split_into_tasks(make_tasks(images), self.runner)):
                    annotation = result.annotation
                    cache.save(annotation.image.digest, annotation.results)
                    if isinstance(annotation.error, BudgetSpent):
                        totals.budget_spent = annotation.error
                    elif annotation.error is not None:
                        refusals.append(annotation.error)
                    if not refusals:
                        yield result
                if refusals:
                    raise refusals[0]
