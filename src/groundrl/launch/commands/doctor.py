"""What this machine has, which options run on it, and what each model would need of memory.

``python -m groundrl.doctor`` takes the options of train.py: adapter.rank=64 changes the estimates.
Figures of memory are estimates from the shapes of the models; nothing is downloaded.
"""

import sys
from collections.abc import Iterator, Sequence
from typing import Any, get_args

from hydra import compose
from hydra.core.config_loader import ConfigLoader
from omegaconf import DictConfig, OmegaConf

from groundrl.doctor.advice import ModelNeeds, machine_table, model_table, option_table, suggest
from groundrl.doctor.machine import look_around
from groundrl.doctor.memory import AdapterKind, Load, estimate
from groundrl.doctor.shapes import PUBLISHED
from groundrl.errors import UserError
from groundrl.launch.commands.base import command_line, open_command
from groundrl.report.tables import to_text

NAME = "train"
"""Of the config."""
IMAGE_TOKENS = 1024
"""Of a prompt, where the option has no largest image."""
TOKEN_PIXELS = 28 * 28
"""Of a resized image, for each of its tokens (Qwen2.5-VL)."""
GRPO = "stage.grpo.module"


def main(argv: Sequence[str]) -> int:
    """Run the command; returns the exit status."""
    assert __doc__ is not None
    flags = command_line("groundrl.doctor", __doc__).parse_intermixed_args(argv)
    try:
        with open_command(NAME, flags.overrides, flags.config_dir) as loader:
            models = list(find_needs(flags.overrides, loader))
    except UserError as error:
        print(error, file=sys.stderr)
        return 2
    machine = look_around()
    tables = (machine_table(machine), option_table(machine), model_table(models, machine))
    print(*map(to_text, tables), sep="\n\n")
    print(f"\nFor example:\n  {suggest(models, machine)}")
    return 0


def find_needs(overrides: Sequence[str], loader: ConfigLoader) -> Iterator[ModelNeeds]:
    """Every option of conf/model whose shape is known."""
    typed = [line for line in overrides if not line.startswith("model=")]
    for option in loader.get_group_options("model"):
        cfg = compose(NAME, [*typed, f"model={option}"])
        shape = PUBLISHED.get(cfg.model.path)
        if shape is not None:
            load = read_load(cfg)
            needs = {kind: estimate(shape, kind, load) for kind in get_args(AdapterKind)}
            yield ModelNeeds(option=option, weights=shape.weights, needs=needs)


def read_load(cfg: DictConfig) -> Load:
    """What a step of GRPO computes at once."""
    pixels = cfg.model.get("max_pixels")
    image = IMAGE_TOKENS if pixels is None else -(-pixels // TOKEN_PIXELS)
    answers = _value(cfg, f"{GRPO}.sampler.group_size") * _value(
        cfg, f"{GRPO}.sampler.sampling.max_tokens"
    )
    rollout = cfg.stage.grpo.prompts_per_step * (image + answers)
    at_once = OmegaConf.select(cfg, "rollout.tokens_per_batch", default=rollout)
    return Load(
        dtype=cfg.model.get("dtype", "float32"),
        rank=OmegaConf.select(cfg, "adapter.rank", default=16),
        tokens_per_forward=_value(cfg, f"{GRPO}.tokens_per_forward"),
        rollout_tokens=min(rollout, at_once),
        checkpointing=cfg.model.get("gradient_checkpointing", False),
    )


def _value(cfg: DictConfig, path: str) -> Any:
    return OmegaConf.select(cfg, path, throw_on_missing=True)
