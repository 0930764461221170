"""Where runs share a finished SFT warm-up: a folder named after all that determines it."""

import hashlib
import sys
from functools import cache
from pathlib import Path
from typing import Any, cast

from omegaconf import DictConfig, OmegaConf

import groundrl
from groundrl.cache_key import folder_digest
from groundrl.config.tree import find_targets
from groundrl.config_node import value_at
from groundrl.data.datasets import PartlyKnown, known_samples
from groundrl.data.module import GroundingDataModule
from groundrl.launch.resolved import config_hash
from groundrl.policy.embedded import embedded_model_dir
from groundrl.records import ImageFile
from groundrl.stages.pipeline import Warmup

ANSWER_TOKENS = "stage.grpo.module.sampler.sampling.max_tokens"
"""The token limit of rollouts is that of held-out answers, too."""
WARMUP_KEYS = (
    *("model", "adapter", "data", "rollout", "stage.sft", "grammar", "seed", "trainer"),
    ANSWER_TOKENS,
)
"""What an SFT warm-up and the measurements around it depend on, the reward aside."""
NOT_RUN = frozenset({"config", "detectors", "launch", "report", "synthesis"})
"""Rooms of the package that no warm-up runs through."""


def find_warmup(cfg: DictConfig, data: GroundingDataModule) -> Warmup | None:
    """Where this run's SFT warm-up is shared; None without a warm-up or a cache."""
    if cfg.cache_dir is None or cfg.pipeline[0] != "sft":
        return None
    path = str(embedded_model_dir()) if cfg.model.path == "embedded" else cfg.model.path
    code = code_digest(Path(groundrl.__path__[0]), other_sources(cfg))
    parts = [config_hash(cfg, WARMUP_KEYS), folder_digest(path) or "hub", data_stamp(data), code]
    if (begins := cfg.adapter.get("path")) is not None:
        parts.append(folder_digest(begins) or "gone")
    return Warmup(folder=Path(cfg.cache_dir) / "warmup" / "-".join(parts))


@cache
def code_digest(package: Path, others: tuple[Path, ...] = ()) -> str:
    """8 hex digits that change when a source file does: of ``others``, or of the rooms of the
    package that a warm-up runs through."""
    digest = hashlib.sha256()
    own = {file.relative_to(package): file for file in package.rglob("*.py")}
    for name, file in sorted(own.items()):
        if name.parts[0] not in NOT_RUN:
            digest.update(f"{name.as_posix()}\n".encode() + file.read_bytes())
    for file in others:
        digest.update(file.read_bytes())
    return digest.hexdigest()[:8]


def other_sources(cfg: DictConfig) -> tuple[Path, ...]:
    """Files of classes from outside the package that the warm-up's part of the config names.

    Installed libraries are left out: a run directory does not outlive their update either.
    """
    tree = cast(dict[str, Any], OmegaConf.to_container(cfg, resolve=True))
    nodes = [value_at(tree, key) for key in WARMUP_KEYS]
    calls = [target.call for node in nodes for target in find_targets(node, problems=[])]
    modules = [sys.modules.get(call.__module__) for call in calls]
    files = [getattr(module, "__file__", None) for module in modules]
    paths = {Path(file).resolve() for file in files if file is not None}
    package = Path(groundrl.__path__[0]).resolve()
    kept = (p for p in paths if package not in p.parents and "site-packages" not in p.parts)
    return tuple(sorted(kept))


def data_stamp(data: GroundingDataModule) -> str:
    """8 hex digits that change when a sample or an image file does; the world is in the config."""
    digest = hashlib.sha256()
    images: set[Path] = set()
    for source in (data.train, *data.heldout.values()):
        if isinstance(source, PartlyKnown):
            digest.update(source.stamp.encode())
        if (known := known_samples(source)) is not None:
            for sample in known.samples:
                digest.update(repr(sample).encode())
                files = (image for image in sample.images if isinstance(image, ImageFile))
                images.update(image.path for image in files)
    for path in sorted(images):
        stat = path.stat()
        digest.update(f"{path} {stat.st_size} {stat.st_mtime_ns}".encode())
    return digest.hexdigest()[:8]
