"""What concerns a composed config as a whole: its stages, its folders."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from hydra.core.hydra_config import HydraConfig

from groundrl.config.problems import did_you_mean
from groundrl.config.secrets import secret_problems
from groundrl.config.several_processes import process_problems
from groundrl.config_node import value_at

ALONE = {"pretrain": " with model.path=<its output_dir>/model", "reward_model": ""}
"""Stages that make up a run of their own -> how the run after it is started."""
NODES = ("benchmark", "reward.terms", "data.formats", "records.formats")
"""Where every member is made by a ``_target_``."""


def cross_checks(tree: dict[str, Any]) -> list[str]:
    """Problems that no single class can know of."""
    return [
        *_unknown_stages(tree),
        *_unfit_grammar(tree),
        *_several_sources(tree),
        *_stray_values(tree),
        *unwritable_folders(tree),
        *secret_problems(tree),
        *_requeued_elsewhere(tree),
        *_absent_gpu(tree),
        *process_problems(tree),
    ]


def _unknown_stages(tree: dict[str, Any]) -> Iterator[str]:
    """Names in ``pipeline`` that no ``stage.<name>`` explains."""
    if "pipeline" not in tree:
        return
    known = [name for name in tree.get("stage", {}) if name not in ALONE]
    pipeline = tree["pipeline"]
    if not isinstance(pipeline, list) or not pipeline:
        yield f"pipeline={pipeline} names no stage: type pipeline=[{','.join(known)}]"
        return
    for name in pipeline:
        if name not in (*known, *ALONE):
            stages = ",".join(known)
            guess = did_you_mean(str(name), known)
            yield f"pipeline names {name}, which is no stage: type pipeline=[{stages}]{guess}"
    for name, then in ALONE.items():
        if name in pipeline and len(pipeline) > 1:
            yield (
                f"pipeline mixes {name} with other stages: type pipeline=[{name}], and then the "
                f"others{then}"
            )


def _unfit_grammar(tree: dict[str, Any]) -> Iterator[str]:
    from groundrl.boxes import Frame  # here: their imports take a second
    from groundrl.grammar import GRAMMARS

    name = tree.get("grammar")
    if name is not None and name not in GRAMMARS:
        guess = did_you_mean(str(name), GRAMMARS)
        yield f"grammar={name} is unknown: type one of {', '.join(GRAMMARS)}{guess}"
        return
    model = tree.get("model")
    frame = model.get("frame") if isinstance(model, dict) else None
    if name is not None and frame in set(Frame) and frame not in GRAMMARS[name].frames:
        fitting = " or ".join(f"model.frame={one}" for one in sorted(GRAMMARS[name].frames))
        yield (
            f"grammar={name} counts bins of the image, and model.frame={frame} measures none: type "
            f"{fitting}, or another grammar"
        )


def _several_sources(tree: dict[str, Any]) -> Iterator[str]:
    """An evaluation scores one model, or one file of answers, or compares two runs."""
    if tree.get("run") is not None and tree.get("predictions") is not None:
        yield "run=<run directory> and predictions=<file> both bring answers: type one of them"
    pair = tree.get("compare")
    if pair is not None and not (isinstance(pair, list) and len(pair) == 2):
        yield f"compare={pair} does not name two runs: type compare=[<run>,<run>]"
    if "benchmark" in tree and not tree["benchmark"]:
        yield "no benchmark is chosen: type for example benchmark=world_vqa"


def _stray_values(tree: dict[str, Any]) -> Iterator[str]:
    """Values where only nodes with ``_target_`` stand, such as ``+benchmark.size=20``."""
    for path in NODES:
        found = value_at(tree, path)
        members = found if isinstance(found, dict) else {}
        nodes = {k: v for k, v in members.items() if isinstance(v, dict) and "_target_" in v}
        for name, value in members.items():
            if name in nodes:
                continue
            inside = [f"{path}.{key}.{name}" for key, node in nodes.items() if name in node]
            places = " or ".join(f"{place}={value}" for place in inside[:3])
            meant = f"type {places}" if places else f"drop {path}.{name}"
            yield f"{path}.{name}={value} is no node with _target_: {meant}"


def missing_needs(tree: Mapping[str, Any]) -> Iterator[str]:
    """Files of ``needs: [{path, command}, ...]`` that are not there, with the command for each."""
    for need in tree.get("needs") or ():
        if not Path(need["path"]).exists():
            yield (
                f"{need['path']} is not there yet: type first\n   {need['command']}\n   Where you "
                "have files of your own, type their options and needs=[]"
            )


def unwritable_folders(tree: Mapping[str, Any]) -> Iterator[str]:
    """Folders of the run that cannot be made or written to."""
    for name in ("output_dir", "cache_dir"):
        value = tree.get(name)
        if not isinstance(value, str):
            continue
        folder = Path(value).absolute()
        while not folder.exists():
            folder = folder.parent
        if not folder.is_dir():
            yield f"{name}={value} cannot be made: {folder} is a file; type {name}=<folder>"
        elif (reason := _unwritable(folder)) is not None:
            yield f"{name}={value} is not writable ({folder}: {reason}): type {name}=<folder>"


def _unwritable(folder: Path) -> str | None:
    """Why nothing can be made in the folder; it is tried, because permissions do not say all."""
    try:
        Path(mkdtemp(dir=folder)).rmdir()
    except OSError as error:
        return error.strerror
    return None


def _requeued_elsewhere(tree: dict[str, Any]) -> Iterator[str]:
    """A job from the queue types the same command again, which has to find its folder."""
    if tree.get("requeue") is not True or not HydraConfig.initialized():
        return
    typed = {line.partition("=")[0] for line in HydraConfig.get().overrides.task}
    if not typed & {"output_dir", "resume"}:
        yield "requeue=true goes on in the same folder: type output_dir=<folder>, too"


def _absent_gpu(tree: dict[str, Any]) -> Iterator[str]:
    trainer = tree.get("trainer")
    if isinstance(trainer, dict) and trainer.get("accelerator") in ("gpu", "cuda"):
        import torch  # here: its import takes a second

        if not torch.cuda.is_available():
            yield "trainer needs a GPU, and torch sees none on this machine: type trainer=cpu"


def unused_nodes(tree: Mapping[str, Any]) -> list[str]:
    """Paths of nodes that the run needs nothing of: a judge whose verdicts are on file already."""
    verdicts = tree.get("judgements")
    replayed = isinstance(verdicts, str) and Path(verdicts).expanduser().exists()
    return ["judge"] if replayed else []
