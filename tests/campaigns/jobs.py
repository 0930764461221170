"""Commands of the project, small enough to be run many times, and what they leave."""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

ROOT: Final = Path(__file__).parents[2]
TINY: Final = (
    *("debug=tiny", "data.heldout_size=2"),
    "stage.grpo.module.sampler.sampling.max_tokens=4",
)
TAUGHT: Final = (
    *("stage.sft.steps=6", "stage.sft.prompts_per_step=8", "adapter=soft_prompt"),
    *("stage.sft.module.optimization.lr=0.1", "stage.sft.module.optimization.warmup=1"),
    "stage.grpo.module.sampler.sampling.max_tokens=96",
)
"""A model that reasons before it answers, as two stages need it."""
NOT_COMPARED: Final = (
    "resolved.yaml",
    "report.html",
    "metrics.json",
    "seconds.json",
    "log.txt",
    ".lock",
)
"""They hold times or paths; metrics are compared by value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A command, without the folders that it writes to."""

    script: str
    options: tuple[str, ...]
    """``{base}``: the folder in which those of all its runs lie."""
    before: "Job | None" = None
    """Run first, into ``{base}/before``."""

    @property
    def is_sweep(self) -> bool:
        """Many runs: it goes on when the same is typed again."""
        return "-m" in self.options

    def command(self, folder: Path) -> list[str]:
        """What is typed first, or again: as docs/quickstart.md says."""
        run = folder / "run"
        begun = (run / "resolved.yaml").exists() and not self.is_sweep
        place = f"resume={run}" if begun else f"output_dir={run}"
        given = [option.replace("{base}", str(folder.parent)) for option in self.options]
        options = [*given, f"cache_dir={folder / 'cache'}", place]
        return [str(ROOT / self.script), *options]


def stage(pipeline: str, *options: str, before: Job | None = None) -> Job:
    """A training that saves after every step."""
    saves = [f"stage.{name}.checkpoint_seconds=0" for name in pipeline.split(",")]
    typed = (f"pipeline=[{pipeline}]", *TINY, *saves, *options)
    return Job(script="train.py", options=typed, before=before)


JOBS: Final = {
    "grpo": stage("sft,grpo", "data.num_workers=1"),
    "rejection_sampling": stage(
        "sft,rejection_sampling",
        *TAUGHT,
        *("data=world_captions", "reward=acc+format", "~reward.terms.acc"),
        *("stage.rejection_sampling.images=4", "stage.rejection_sampling.steps=2"),
        *("stage.rejection_sampling.prompts_per_step=2",),
    ),
    "distillation": stage(
        "distillation",
        "stage.distillation.teacher.run={base}/before/run",
        *TAUGHT,
        before=stage("sft", *TAUGHT),
    ),
    "reward_model": stage("reward_model", "data=labelled_world_captions", "data.captions.size=30"),
    "synthesize": Job(
        script="synthesize.py",
        options=("scenes.size=60", "shard_size=60", "detector=oracle", "concurrency=2"),
    ),
    "evaluate": Job(
        script="evaluate.py",
        options=(
            *("benchmark=[world_mme,world_rec]", "benchmark.world_mme.size=4"),
            *("benchmark.world_rec.size=4", "sampling.max_tokens=12", "judge=rules"),
        ),
    ),
    "sweep": Job(
        script="train.py",
        options=("-m", "reward=acc,iou", "pipeline=[sft,grpo]", *TINY, "stage.sft.steps=1"),
    ),
}


def differences(expected: Mapping[str, str], found: Mapping[str, str]) -> list[str]:
    """What the two outcomes do not share, in words; at most three."""
    names = sorted(expected.keys() | found.keys())
    wrong = [name for name in names if expected.get(name) != found.get(name)]
    kinds = {(True, False): "missing", (False, True): "new", (True, True): "not the same"}
    said = [f"{name} is {kinds[name in expected, name in found]}" for name in wrong]
    return said[:3] + [f"and {len(said) - 3} more"] * (len(said) > 3)


def outcome(run: Path) -> dict[str, str]:
    """Everything that a command has left and that is no time, as name -> value or digest."""
    found: dict[str, str] = {}
    for path in sorted(run.rglob("*")):
        name = str(path.relative_to(run))
        if path.name == "metrics.json":
            found |= _metrics(name, json.loads(path.read_text()))
        elif path.is_dir() and any(path.glob("events.out.*")):
            found |= _curves(f"{name}:", path)
        elif path.is_file() and ".tfevents." not in name and path.suffix != ".ckpt":
            content = path.read_bytes().replace(str(run.parent).encode(), b"<folder>")
            kept = path.name not in NOT_COMPARED
            found[name] = hashlib.sha256(content).hexdigest() if kept else "there"
    return found


def _metrics(name: str, value: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for key, one in value.items():
        if not key.startswith("time"):
            yield f"{name}:{key}", json.dumps(one, sort_keys=True)


def _curves(name: str, folder: Path) -> Iterator[tuple[str, str]]:
    """Values, texts and images of TensorBoard's events, without their times."""
    events = EventAccumulator(str(folder), size_guidance={"scalars": 0, "images": 0, "tensors": 0})
    events.Reload()
    kinds: dict[str, Callable[[Any], object]] = {
        "scalars": lambda event: event.value,
        "images": lambda event: event.encoded_image_string,
        "tensors": lambda event: event.tensor_proto.SerializeToString(),
    }
    read = {"scalars": events.Scalars, "images": events.Images, "tensors": events.Tensors}
    for kind, value in kinds.items():
        for tag in events.Tags()[kind]:
            if not tag.startswith("time/") and tag != "tokens/per_second":
                # A resumed run repeats the steps after its checkpoint: the last value counts.
                found = {event.step: value(event) for event in read[kind](tag)}
                points = repr(sorted(found.items()))
                yield name + tag, hashlib.sha256(points.encode()).hexdigest()
