"""A GRPO step of TRL's trainer."""

import random
import time
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

from measuring import ALPHA, COUNTED, KL_COEF, RANK, STEPS, Figures, forget_peak, in_use
from peft import LoraConfig
from random_models import build
from transformers import PreTrainedModel
from work import Work

from groundrl.policy.adapters.adapter import LANGUAGE_LINEARS
from groundrl.policy.processor import Processor


def rows(work: Work, processor: Processor) -> list[dict[str, Any]]:
    """The prompts as a data set of TRL."""
    question = work.question(processor)
    content = [{"type": "image"}, {"type": "text", "text": question}]
    return [
        {
            "prompt": [{"role": "user", "content": content}],
            "image": work.sample(i, question).image.load(),
        }
        for i in range(STEPS * work.prompts)
    ]


def settings(work: Work, folder: Path, vlm: PreTrainedModel) -> dict[str, Any]:
    """Of ``GRPOConfig``: the work, and nothing beside it."""
    return {
        "output_dir": str(folder),
        "per_device_train_batch_size": work.prompts * work.group,
        "num_generations": work.group,
        "max_completion_length": work.completion,
        "generation_kwargs": {
            "min_new_tokens": work.completion,
            "suppress_tokens": [vlm.config.image_token_id, vlm.config.video_token_id],
        },
        "max_steps": STEPS,
        "beta": KL_COEF,
        "use_cpu": work.device == "cpu",
        "bf16": work.device != "cpu",
        "gradient_checkpointing": False,
        "logging_steps": 1,
        "report_to": [],
        "save_strategy": "no",
        "disable_tqdm": True,
    }


def trl(work: Work, folder: Path) -> Figures:
    """TRL's trainer on the same work; its rollout holds the reference pass."""
    from datasets import Dataset
    from trl import GRPOConfig, GRPOTrainer

    vlm, processor = build(work.family, work.size, work.device, work.dtype)
    ends: list[float] = []
    rollouts: list[float] = []

    class Timed(GRPOTrainer):
        def _prepare_inputs(self, generation_batch: Any) -> Any:
            start = time.perf_counter()
            inputs = super()._prepare_inputs(generation_batch)
            rollouts.append(time.perf_counter() - start)
            if len(rollouts) == STEPS:
                forget_peak(work.device)
            return inputs

        def log(self, *args: Any, **kwargs: Any) -> None:
            ends.append(time.perf_counter())  # once a step, when it is done, and at the end

    rng = random.Random(0)
    linears = "|".join(LANGUAGE_LINEARS)
    before = in_use(work.device)
    trainer = Timed(
        model=vlm,
        processing_class=processor,
        train_dataset=Dataset.from_list(rows(work, processor)),
        reward_funcs=lambda prompts, completions, **_: [rng.random() for _ in completions],
        peft_config=LoraConfig(
            r=RANK, lora_alpha=ALPHA, target_modules=rf".*language_model.*({linears})"
        ),
        args=GRPOConfig(**settings(work, folder, vlm)),
    )
    trainer.train()
    steps = [b - a for a, b in pairwise([0.0, *ends[:STEPS]])]
    updates = [step - rollout for step, rollout in zip(steps, rollouts, strict=True)]
    return {
        "memory": in_use(work.device, peak=True) - before,
        "step": median(steps[COUNTED]),
        "rollout": median(rollouts[COUNTED]),
        "update": median(updates[COUNTED]),
    }
