"""The base of every benchmark that is downloaded."""

from dataclasses import dataclass
from typing import ClassVar

from groundrl.evaluation.benchmarks.base import QuestionSet
from groundrl.figures import FigureInfos
from groundrl.published.reader import PublishedReader, RowReader


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedBenchmark(PublishedReader):
    """A benchmark that is downloaded: what its reader reads is asked and scored."""

    figure_infos: ClassVar[FigureInfos]
    scored_from_lists: ClassVar[bool] = True
    """Whether a JSON list of answers holds all that scoring needs."""

    def questions(self, images: bool = True) -> QuestionSet:
        """Every question that has its image. Without ``images``, those without an image are asked
        too: answers to them are known.

        Raises UserError that lists every missing file, or every damaged row.
        """
        found = self.find_samples(images)
        return QuestionSet(samples=found.samples, missing=found.missing)


@dataclass(frozen=True, slots=True, kw_only=True)
class RowBenchmark(RowReader, PublishedBenchmark):
    """A benchmark with one file of rows, each of which holds questions."""
