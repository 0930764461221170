"""A checked synthesis config -> the objects that it names."""

from functools import partial
from pathlib import Path

from omegaconf import DictConfig

from groundrl.config.make import make, resolved
from groundrl.scenes.questions import LICENCE
from groundrl.stages.synthesize import Synthesis
from groundrl.synthesis.annotate import Annotator
from groundrl.synthesis.base import PictureSource
from groundrl.synthesis.pictures import FolderPictures

RESULTS = "synthesis.sqlite"


def build_synthesis(cfg: DictConfig, run_dir: Path) -> Synthesis:
    """The run that ``cfg`` describes, with its output in ``run_dir``."""
    return Synthesis(
        pictures=_pictures(cfg),
        annotator=partial(_annotator, resolved(cfg)),
        engine=make(cfg.engine),
        concurrency=cfg.concurrency,
        questions=make(cfg.questions),
        licence=LICENCE if cfg.images == "world" else cfg.licence,
        cache=(run_dir if cfg.cache_dir is None else Path(cfg.cache_dir)) / RESULTS,
        shard_size=cfg.shard_size,
        run_dir=run_dir,
    )


def _annotator(cfg: DictConfig) -> Annotator:
    return Annotator(
        detector=make(cfg.detector),
        teacher=make(cfg.teacher),
        verifier=make(cfg.verifier) if "verifier" in cfg else None,
        cropping=make(cfg.cropping),
        repairs=cfg.repairs,
    )


def _pictures(cfg: DictConfig) -> PictureSource:
    return make(cfg.scenes) if cfg.images == "world" else FolderPictures(cfg.images)
