"""Pictures in, verified grounded training data out."""

import json
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

from groundrl.errors import UserError
from groundrl.evaluation.verification import Tally
from groundrl.progress import ProgressLine
from groundrl.records import Provenance
from groundrl.synthesis.annotate import Annotator, Outcome
from groundrl.synthesis.base import PictureSource
from groundrl.synthesis.card import card
from groundrl.synthesis.engines.base import Engine, Task
from groundrl.synthesis.samples import Questions, made_by, written
from groundrl.synthesis.store import Store
from groundrl.synthesis.writing import LEFT_OUT, Writer, write_text


@dataclass(slots=True, kw_only=True)
class Synthesis:
    """Everything that a run needs, built but not started."""

    pictures: PictureSource
    annotator: Annotator
    engine: Engine
    questions: Questions
    licence: str
    """Of the pictures."""
    cache: Path
    """What was found out about pictures, by whatever run."""
    shard_size: int
    """Samples of a Parquet file."""
    run_dir: Path
    tally: Tally = field(default_factory=Tally)
    counts: Counter[str] = field(default_factory=Counter)

    def run(self) -> int:
        """Write the run directory; returns how many pictures are unfinished, since somebody could
        not be reached. What an earlier run found out is not asked again."""
        start = time.perf_counter()
        progress = ProgressLine(len(self.pictures), "pictures")
        with Store(self.cache) as store, Writer(self.run_dir, self.shard_size) as writer, progress:
            for outcome in self._outcomes(store):
                if outcome.annotated is None:
                    self.counts["unfinished"] += 1
                else:
                    made = written(outcome.annotated, self.annotator, self.questions, self._source)
                    self.tally.add(outcome.annotated)
                    self.counts.update(f"samples/{made.split}/{s.kind}" for s in made.samples)
                    self.counts.update(f"dropped/{kind}" for kind in made.dropped)
                    self.counts.update([f"pictures/{made.split}"])
                    self.counts["regions"] += len(outcome.annotated.regions)
                    writer.add(made.record, made.samples, made.split)
                self.counts["pictures"] += 1
                progress.update(self.counts["pictures"], more=self._told(start))
            if not self.counts["pictures"]:
                raise UserError(f"{self.pictures.name}: no pictures")
        self._write(time.perf_counter() - start)
        print(self.run_dir)
        return self.counts["unfinished"]

    @property
    def _source(self) -> Provenance:
        return Provenance(dataset=self.pictures.name, split="all", licence=self.licence)

    def _outcomes(self, store: Store) -> Iterator[Outcome]:
        """Each is kept before anybody sees it. When somebody refuses, what is under way is
        finished and kept, and nothing new is begun."""
        refused: list[UserError] = []

        def tasks() -> Iterator[Task]:
            for picture in self.pictures:
                if refused:
                    return
                yield picture, store.known(picture.digest)

        for outcome in self.engine(self.annotator, tasks()):
            store.keep(outcome.picture.digest, outcome.results)
            if outcome.error is not None:
                refused.append(outcome.error)
            elif not refused:
                yield outcome
        if refused:
            raise refused[0]

    def _told(self, start: float) -> list[str]:
        count, tally = self.counts, self.tally.counts
        told = [f"{count['pictures'] / max(time.perf_counter() - start, 1e-9):.1f} pictures/s"]
        if tally["captions"]:
            rejected = tally["level_1/rejected"] + tally["level_2/rejected"]
            told.append(f"{100 * rejected / tally['captions']:.0f} % rejected")
        if tally["tokens"]:
            told.append(f"{tally['tokens']:,} tokens")
        if count["unfinished"]:
            told.append(f"{count['unfinished']} unfinished")
        return told

    def _write(self, seconds: float) -> None:
        left_out = self.pictures.left_out
        if left_out:
            self.counts["left_out"] = len(left_out)
            lines = "".join(f"{name}\t{reason}\n" for name, reason in sorted(left_out.items()))
            write_text(self.run_dir / LEFT_OUT, lines)
            print(f"{len(left_out)} files are no usable pictures: {self.run_dir / LEFT_OUT}")
        figures = {
            **{name: float(value) for name, value in sorted(self.counts.items())},
            **{name: float(value) for name, value in sorted(self.tally.counts.items())},
            **{f"verification/{k}": v for k, v in self.tally.figures().items()},
        }
        people = made_by(self.annotator, self.questions)
        text = card(self._source, people, figures, version("groundrl"))
        write_text(self.run_dir / "README.md", text)
        report = {**figures, "time": {"total": seconds}}
        write_text(self.run_dir / "metrics.json", json.dumps(report, indent=1))
