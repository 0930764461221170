"""Run directories of train.py without a training: adapters of random weights."""

import json
from pathlib import Path

import torch
from hydra import compose

from groundrl.export.description import describe, write_description
from groundrl.grammar import get_grammar
from groundrl.launch.commands.base import open_command
from groundrl.launch.make import make
from groundrl.launch.resolved import save_resolved

MAX_TOKENS = 16
"""Of an answer."""


def write_run(folder: Path, *typed: str) -> Path:
    """A finished run of the embedded model; its adapter learnt something else than to answer."""
    options = ["debug=tiny", "cache_dir=null", f"output_dir={folder}", *typed]
    torch.manual_seed(0)  # half of an adapter's weights are random from the start
    with open_command("train", options, None):
        cfg = compose("train", options)
        policy = make(cfg.model)
        save_resolved(cfg, folder / "resolved.yaml")
    for name, weight in policy.model.named_parameters():
        if "lora_B" in name or "prompt_encoder" in name:
            torch.nn.init.normal_(weight, std=0.4)
    policy.save(folder / "adapter")
    write_description(folder / "adapter", describe(policy, get_grammar(cfg.grammar), MAX_TOKENS))
    weights = folder / "checkpoints" / "base_weights.json"
    weights.parent.mkdir()
    weights.write_text(json.dumps({"base": policy.fixed_weights()["base"]}))
    return folder
