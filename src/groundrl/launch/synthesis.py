"""A checked synthesis config -> the objects that it names."""

import warnings
from functools import partial
from pathlib import Path

from omegaconf import DictConfig, OmegaConf

from groundrl.launch.make import make, resolved
from groundrl.synthesis.annotate import Annotator
from groundrl.synthesis.images import FolderImages
from groundrl.synthesis.roles import ImageCollection, UsesVocabulary
from groundrl.synthesis.run import Synthesis
from groundrl.world.source import LICENCE

RESULTS = "synthesis.sqlite"


def build_synthesis(cfg: DictConfig, run_dir: Path) -> Synthesis:
    """The run that ``cfg`` describes, with its output in ``run_dir``."""
    if cfg.images != "world" and OmegaConf.select(cfg, "model.path") == "embedded":
        warnings.warn(
            f"the embedded model knows drawn scenes only, and will find little in {cfg.images}: "
            "type detector=given labels=<file>, detector=mm_grounding_dino "
            "'detector.vocabulary=[<class>,...]', or model=<a larger one>",
            stacklevel=2,
        )
    return Synthesis(
        images=_images(cfg),
        annotator=partial(_annotator, resolved(cfg)),
        runner=make(cfg.runner),
        concurrency=cfg.concurrency,
        questions=make(cfg.questions),
        licence=LICENCE if cfg.images == "world" else cfg.licence,
        cache=(run_dir if cfg.cache_dir is None else Path(cfg.cache_dir)) / RESULTS,
        shard_size=cfg.shard_size,
        run_dir=run_dir,
    )


def budgets(cfg: DictConfig, budget: float) -> list[str]:
    """Options of the models that had this budget."""
    keys = [f"{role}.chat.spending.budget" for role in ("teacher", "verifier")]
    return [key for key in keys if OmegaConf.select(cfg, key) == budget]


def _annotator(cfg: DictConfig) -> Annotator:
    detector, verifier = make(cfg.detector), make(cfg.verifier) if "verifier" in cfg else None
    if isinstance(verifier, UsesVocabulary):
        verifier = verifier.with_vocabulary(detector.vocabulary)
    return Annotator(
        detector=detector,
        teacher=make(cfg.teacher),
        verifier=verifier,
        cropping=make(cfg.cropping),
        repairs=cfg.repairs,
    )


def _images(cfg: DictConfig) -> ImageCollection:
    return make(cfg.scenes) if cfg.images == "world" else FolderImages(cfg.images)
