"""Runs the stages one after the other, measures between them, and leaves a run directory."""

import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from torch.utils.tensorboard.writer import SummaryWriter

from groundrl.data.module import GroundingDataModule
from groundrl.evaluation.heldout import HeldOut
from groundrl.files import write_json
from groundrl.parallel import is_first
from groundrl.policy.policy import Policy
from groundrl.report.run_report import write_report
from groundrl.report.tables import before_after_table
from groundrl.report.tensorboard import log_hparams
from groundrl.stages.base import Stage
from groundrl.stages.fit import MakeTrainer, StagePlan, fit, on_trainer_device
from groundrl.stages.frozen_weights import BASE

PROGRESS = "checkpoints/metrics.json"
"""What is measured so far; ``metrics.json`` itself exists only when the run is complete."""

Metrics = dict[str, dict[str, float]]
"""``{"start": {...}, "sft": {...}, "grpo": {...}, "time": {...}}``"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Warmup:
    """A finished first stage, shared by all runs whose warm-up would be the same."""

    folder: Path
    """Named by the hash of everything that determines the warm-up."""

    def exists(self) -> bool:
        """Whether it is complete: the folder is moved into place as a whole."""
        return self.folder.is_dir()

    def keep(self, run_dir: Path, stage: str) -> None:
        """Copy what the run directory holds of ``stage`` into the cache."""
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        # Unique among threads and machines, too; mkdtemp's mode would keep other users out.
        partial = Path(tempfile.mkdtemp(prefix=f"{self.folder.name}.", dir=self.folder.parent))
        partial.chmod(0o755)
        for name in self.parts(run_dir, stage):
            _copy(run_dir / name, partial / name)
        metrics = json.loads((run_dir / PROGRESS).read_text())
        write_json(partial / "metrics.json", without_rewards(metrics))
        try:
            os.replace(partial, self.folder)
        except OSError:
            # Another job was faster; its warm-up is the same.
            shutil.rmtree(partial)

    def fetch(self, run_dir: Path) -> None:
        """Copy the cached stage into a run directory."""
        metrics = self.folder / "metrics.json"
        for source in self.folder.iterdir():
            if source != metrics:
                _copy(source, run_dir / source.name)
        # Last, because they say that the stage is done.
        _copy(metrics, run_dir / PROGRESS)

    @staticmethod
    def parts(run_dir: Path, stage: str) -> list[str]:
        """Adapter, what it belongs to, answers with their images, and curves."""
        names = ["images", f"checkpoints/{stage}/adapter", BASE, f"tensorboard/{stage}"]
        names += [path.name for path in run_dir.glob("heldout_*.jsonl")]
        return [name for name in names if (run_dir / name).exists()]


@dataclass(slots=True, kw_only=True)
class Pipeline:
    """Everything a training run needs, built but not started."""

    policy: Policy
    data: GroundingDataModule
    plans: Mapping[str, StagePlan]
    """The stages to run, in order."""
    build: Callable[[StagePlan], Stage]
    """Makes a stage's module for the policy."""
    held_out: HeldOut
    make_trainer: MakeTrainer
    run_dir: Path
    hparams: Mapping[str, object]
    """The resolved config, for TensorBoard's HParams page."""
    warmup: Warmup | None = None
    """Where the first stage is shared; None when it must not be."""
    metrics: Metrics = field(default_factory=dict)

    def run(self) -> Metrics:
        """Train and measure; what an earlier, interrupted run finished is not done again.

        Of several processes the first starts the others, and alone prepares, writes and reports.
        """
        self._read_metrics()
        if is_first():
            self._prepare()
        for name, plan in self.plans.items():
            if name in self.metrics:
                self.policy.load(self._adapter(name))
            else:
                self._train(name, plan)
        if is_first():
            self._finish()
        return self.metrics

    def _prepare(self) -> None:
        if not self.held_out.sets:
            print("no held-out set, so the answers are not measured: see data.heldout_*")
        first = next(iter(self.plans))
        if self.warmup is not None and "start" not in self.metrics and self.warmup.exists():
            self.warmup.fetch(self.run_dir)
            self._read_metrics()
            for point in ("start", first):
                self.metrics[point] |= self.held_out.rescore(self.run_dir, point)
            self._write_metrics(PROGRESS)
        if "start" not in self.metrics:
            self._measure("start")

    def _finish(self) -> None:
        self.policy.save(self.run_dir / "adapter")
        self._write_metrics("metrics.json")
        with SummaryWriter(str(self.run_dir / "tensorboard")) as writer:
            log_hparams(writer, self.hparams, self.metrics[list(self.plans)[-1]])
        write_report(self.run_dir)
        print(before_after_table(self.metrics, ("start", *self.plans)))
        print(self.run_dir)

    def _train(self, name: str, plan: StagePlan) -> None:
        start = time.perf_counter()
        module = self.build(plan)
        data = GroundingDataModule(
            train=self.data.train,
            prompts_per_step=plan.prompts_per_step,
            # Each stage has its own order, so that no stage sees the questions of the one before.
            seed=self.data.seed + 1000 * list(self.plans).index(name),
            num_workers=self.data.num_workers,
            encode=self.policy.encode,
            prefetches=module.prefetches,
        )
        try:
            fit(name, module, data, plan, self.make_trainer, self.run_dir)
        finally:  # an interrupted stage goes on counting when it is resumed
            self._add_time(f"train_{name}", time.perf_counter() - start)
            self._write_metrics(PROGRESS)
        if is_first():
            self.policy.save(self._adapter(name))
        self._measure(name)
        if is_first() and self.warmup is not None and name == next(iter(self.plans)):
            self.warmup.keep(self.run_dir, name)

    def _adapter(self, name: str) -> Path:
        return self.run_dir / "checkpoints" / name / "adapter"

    def _measure(self, name: str) -> None:
        start = time.perf_counter()
        with on_trainer_device(self.policy, self.make_trainer):
            self.metrics[name] = self.held_out(self.policy, self.run_dir, name)
        self._add_time(f"heldout_{name}", time.perf_counter() - start)
        self._write_metrics(PROGRESS)

    def _add_time(self, name: str, seconds: float) -> None:
        times = self.metrics.setdefault("time", {})
        times[name] = times.get(name, 0.0) + seconds

    def _read_metrics(self) -> None:
        path = self.run_dir / PROGRESS
        if path.exists():
            self.metrics = json.loads(path.read_text())

    def _write_metrics(self, name: str) -> None:
        if is_first():
            write_json(self.run_dir / name, self.metrics)


def without_rewards(metrics: Metrics) -> Metrics:
    """What holds for a run with another reward, too."""
    return {
        point: {k: v for k, v in values.items() if not k.rpartition("/")[2].startswith("reward")}
        for point, values in metrics.items()
    }


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target, dirs_exist_ok=True)
    else:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, target)
