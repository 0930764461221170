"""Runs the stages one after the other, with held-out measurements before and after each."""

import logging
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import accumulate
from pathlib import Path

from torch.utils.tensorboard.writer import SummaryWriter

from groundrl.data.module import GroundingDataModule
from groundrl.data.provenance import write_sources
from groundrl.errors import UserError
from groundrl.evaluation.heldout import HeldOut
from groundrl.export.card import CARD, write_card
from groundrl.export.description import describe, write_description
from groundrl.files import read_json, write_json, write_text
from groundrl.policy.policy import Policy
from groundrl.report.run_report import write_report
from groundrl.report.tables import before_after_table
from groundrl.report.tensorboard import log_held_out, log_hparams
from groundrl.running.parallel import from_first, is_first
from groundrl.running.run_time import TIMES, RunTime
from groundrl.stages.fit import Build, MakeTrainer, StagePlan, StageRun, on_trainer_device
from groundrl.stages.fitting.frozen_weights import BASE

logger = logging.getLogger(__name__)

PROGRESS = "checkpoints/metrics.json"
"""In a run directory: the metrics so far. ``metrics.json`` exists only once the run is complete."""

Metrics = dict[str, dict[str, float]]
"""``{"start": {...}, "sft": {...}, "grpo": {...}, "time": {...}}``"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Warmup:
    """A finished first stage, shared by all runs whose warm-up would be the same."""

    folder: Path
    """In the cache; named by the hash of everything that determines the warm-up. Where it exists it
    is complete, because it is moved into place as a whole."""

    def store(self, run_dir: Path, stage: str) -> None:
        """Copy the files of ``stage`` from a run directory into the cache."""
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        # Unique among threads and machines too; the mode of mkdtemp would lock other users out.
        partial = Path(tempfile.mkdtemp(prefix=f"{self.folder.name}.", dir=self.folder.parent))
        partial.chmod(0o755)
        try:
            for name in self.parts(run_dir, stage):
                _copy(run_dir / name, partial / name)
            metrics = read_json(run_dir / PROGRESS)
            write_json(partial / "metrics.json", without_rewards(metrics))
            # Another job may have stored the same warm-up in the meantime.
            with suppress(OSError):
                os.replace(partial, self.folder)
        finally:
            shutil.rmtree(partial, ignore_errors=True)

    def fetch(self, run_dir: Path) -> None:
        """Copy the files of the cached stage into a run directory."""
        metrics = self.folder / "metrics.json"
        try:
            read_json(metrics)
        except UserError as error:
            raise UserError(f"{error}. Delete {self.folder}: this run fills it anew") from error
        for source in self.folder.iterdir():
            if source != metrics:
                _copy(source, run_dir / source.name)
        # Last, because the metrics mark the stage as done.
        _copy(metrics, run_dir / PROGRESS)

    @staticmethod
    def parts(run_dir: Path, stage: str) -> list[str]:
        """Names of the files and folders of ``stage``: adapter, base fingerprint, answers with
        their images, curves."""
        names = ["images", f"checkpoints/{stage}/adapter", BASE, f"tensorboard/{stage}"]
        names += [path.name for path in run_dir.glob("heldout_*.jsonl")]
        return [name for name in names if (run_dir / name).exists()]


@dataclass(slots=True, kw_only=True)
class Pipeline:
    """A training run, built but not started."""

    policy: Policy
    data: GroundingDataModule
    plans: Mapping[str, StagePlan]
    """The stages to run, in order."""
    build: Build
    held_out: HeldOut
    make_trainer: MakeTrainer
    run_dir: Path
    hparams: Mapping[str, object]
    """Options that tell the run from others, for TensorBoard's HParams page."""
    warmup: Warmup | None = None
    """Where the first stage is shared with other runs; None when it is not shared."""
    metrics: Metrics = field(default_factory=dict)
    times: RunTime = field(init=False)

    def __post_init__(self) -> None:
        self.times = RunTime(self.run_dir / "checkpoints" / TIMES)

    def run(self) -> str:
        """Train and measure; stages that an interrupted run has finished are loaded instead.

        Returns the text for the terminal: the table of held-out figures and the run directory. Of
        several processes only the first one writes and reports; the text of the others is empty.
        """
        if is_first():
            self._read_metrics()
            self._prepare()
        self.metrics = from_first(lambda: self.metrics)
        self.times.know(self.metrics.get("time", {}))
        if "start" not in self.metrics or not self._recorded("start"):
            self._measure("start")
        for name, plan in self.plans.items():
            if name not in self.metrics:
                self._train(name, plan)
                continue
            self.policy.load(self._adapter(name))
            if not self._recorded(name):
                self._measure(name)
        return self._finish() if is_first() else ""

    def _recorded(self, name: str) -> bool:
        """Whether the answers are whole where the first process looks."""
        return from_first(lambda: self.held_out.recorded(self.run_dir, name))

    def _prepare(self) -> None:
        questions = sum(len(samples) for samples in self.held_out.sets.values())
        stages = ", then ".join(f"{name} ({plan.steps} steps)" for name, plan in self.plans.items())
        if questions:
            logger.info("%s; %d held-out questions before and after each", stages, questions)
        else:
            logger.warning("no held-out set, so the answers are not measured: see data.heldout_*")
        first = next(iter(self.plans))
        if self.warmup is not None and "start" not in self.metrics and self.warmup.folder.is_dir():
            self.warmup.fetch(self.run_dir)
            self._read_metrics()
            # A reward model may compute with the policy's weights, where these are.
            with on_trainer_device(self.policy, self.make_trainer):
                for point in ("start", first):
                    self.metrics[point] |= self.held_out.rescore(self.run_dir, point)
            self._write_metrics(PROGRESS)

    def _finish(self) -> str:
        self.policy.save(self.run_dir / "adapter")
        self._write_metrics("metrics.json")
        with SummaryWriter(str(self.run_dir / "tensorboard")) as writer:
            log_held_out(writer, self._points())
            log_hparams(writer, self.hparams, self.metrics[list(self.plans)[-1]])
        write_report(self.run_dir)
        self._describe(self.run_dir / "adapter")
        return f"{before_after_table(self.metrics, ('start', *self.plans))}\n{self.run_dir}"

    def _points(self) -> Iterator[tuple[int, dict[str, float]]]:
        """The steps of training before each measurement, and what was measured."""
        ends = accumulate(plan.steps for plan in self.plans.values())
        measured = (self.metrics[name] for name in ("start", *self.plans))
        return zip((0, *ends), measured, strict=True)

    def _describe(self, folder: Path) -> None:
        """Add how to ask the model, and a model card, so that the folder can be shared."""
        max_tokens = self.held_out.sampler.sampling.max_tokens
        description = describe(self.policy, self.held_out.reward.grammar, max_tokens)
        write_description(folder, description)
        write_sources(self.run_dir, self.data.train, self.data.heldout)
        form = "adapter" if (folder / "adapter_config.json").is_file() else "merged"
        write_text(folder / CARD, write_card(self.run_dir, description, form))

    def _train(self, name: str, plan: StagePlan) -> None:
        run = StageRun(
            policy=self.policy,
            train=self.data.train,
            # Another order in each stage: no stage starts with the questions of the one before.
            seed=self.data.seed + 1000 * list(self.plans).index(name),
            num_workers=self.data.num_workers,
            build=self.build,
            make_trainer=self.make_trainer,
            run_dir=self.run_dir,
        )
        try:
            with self.times.measure(f"train_{name}"):
                plan.train(name, run)
        finally:  # also when interrupted: so far it took this time
            self._write_metrics(PROGRESS)
        if is_first():
            self.policy.save(self._adapter(name))
        self._measure(name)
        if is_first() and self.warmup is not None and name == next(iter(self.plans)):
            self.warmup.store(self.run_dir, name)

    def _adapter(self, name: str) -> Path:
        return self.run_dir / "checkpoints" / name / "adapter"

    def _measure(self, name: str) -> None:
        with (
            self.times.measure(f"heldout_{name}"),
            on_trainer_device(self.policy, self.make_trainer),
        ):
            self.metrics[name] = self.held_out(self.policy, self.run_dir, name)
        self._write_metrics(PROGRESS)

    def _read_metrics(self) -> None:
        path = self.run_dir / PROGRESS
        if path.exists():
            self.metrics = read_json(path)
            self.times.know(self.metrics.get("time", {}))

    def _write_metrics(self, name: str) -> None:
        self.metrics["time"] = self.times.seconds
        if is_first():
            write_json(self.run_dir / name, self.metrics)


def without_rewards(metrics: Metrics) -> Metrics:
    """The metrics that do not depend on the reward."""
    return {
        point: {k: v for k, v in values.items() if not k.rpartition("/")[2].startswith("reward")}
        for point, values in metrics.items()
    }


def _copy(source: Path, target: Path) -> None:
    """A file, or all files of a folder. Not ``copytree``, whose error does not say that the disk is
    full."""
    for file in [*source.rglob("*")] if source.is_dir() else [source]:
        if file.is_file():
            place = target / file.relative_to(source)
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(file, place)
