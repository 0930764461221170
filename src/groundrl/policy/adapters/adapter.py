"""Which weights are trained: LoRA, LoRA on 4-bit weights, or whole weights, of the language model
and of the vision tower; or a soft prompt."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from torch import nn
from transformers import (
    AutoConfig,
    AutoModelForImageTextToText,
    BitsAndBytesConfig,
    PreTrainedModel,
)

from groundrl.config_node import ConfigNode, too_small
from groundrl.errors import UserError
from groundrl.policy.adapters.soft_prompt import add_soft_prompt
from groundrl.policy.adapters.trained import load_adapter, missing_adapter
from groundrl.policy.family import is_tower, language_model_name
from groundrl.policy.policy import Policy

LANGUAGE_LINEARS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
"""Linear layers of the language models of all tested families."""
VISION_OF = {"lora": "lora", "qlora": "lora", "none": "full", "soft_prompt": "frozen"}
"""Kind -> how the vision tower may learn beside it, if not frozen."""
MISFIT = re.compile(r"size mismatch|Target modules .* not found", re.DOTALL)
"""PEFT's errors about an adapter of another model."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Adapter:
    """Which weights are trained.

    ``lora``: arXiv 2106.09685. ``qlora``: LoRA over NF4 weights, arXiv 2305.14314. ``none``: no
    adapter; all weights of the language model are trained, and the reference is a frozen copy of
    the model. ``soft_prompt``: vectors in front of each prompt, arXiv 2104.08691. ``frozen``:
    nothing is trained, for evaluation.
    """

    kind: Literal["lora", "qlora", "none", "soft_prompt", "frozen"] = "lora"
    path: str | None = None
    """Folder of a trained adapter in PEFT format, with which ``frozen`` answers, and with which
    ``lora`` and ``qlora`` begin: a LoRA of the same rank and alpha."""
    rank: int = 16
    alpha: int = 32
    """The update is scaled by ``alpha / rank``."""
    targets: tuple[str, ...] = LANGUAGE_LINEARS
    """Names of linear layers of the language model."""
    vision: Literal["frozen", "lora", "full"] = "frozen"
    """The vision tower with its projector. ``frozen``: features of an image are computed once and
    stored. ``lora``: its linear layers get adapters too, with kind ``lora`` or ``qlora``. ``full``:
    all its weights are trained, with kind ``none``."""
    tokens: int = 20
    """Vectors of a soft prompt."""

    @classmethod
    def config_problems(cls, node: ConfigNode) -> Iterator[str]:
        """A frozen model can be evaluated, not trained; ranks and soft prompts are 1 or more; a
        tower learns as the language model does; a trained adapter is there, and is a LoRA."""
        yield from too_small(node, {"rank": 1, "tokens": 1})
        kind, vision = node.options.get("kind"), node.options.get("vision", "frozen")
        if isinstance(path := node.options.get("path"), str):
            if kind in ("none", "soft_prompt"):
                yield f"{node.path}={kind} begins with no adapter: drop {node.path}.path"
            elif (missing := missing_adapter(path)) is not None:
                yield missing
        if kind in VISION_OF and vision not in ("frozen", VISION_OF[kind]):
            fitting = {"lora": "lora", "full": "none"}.get(vision)
            yield (
                f"{node.path}.vision={vision} does not go with {node.path}={kind}: type "
                f"{node.path}.vision={VISION_OF[kind]}, or {node.path}={fitting}"
            )
        if node.value("pipeline") is not None and node.options.get("kind") == "frozen":
            yield f"{node.path}=frozen leaves nothing to train: type {node.path}=lora"

    def quantization(self, path: str, compute_dtype: torch.dtype) -> BitsAndBytesConfig | None:
        """How the base is loaded; the tower and the output head keep their precision. None: as it
        is stored."""
        if self.kind != "qlora":
            return None
        with torch.device("meta"):
            vlm = AutoModelForImageTextToText.from_config(AutoConfig.from_pretrained(path))
        language_model = language_model_name(vlm)
        linears = [name for name, module in vlm.named_modules() if isinstance(module, nn.Linear)]
        return BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_compute_dtype=compute_dtype,
            llm_int8_skip_modules=[*(x for x in linears if is_tower(x, language_model)), "lm_head"],
        )

    def apply(self, vlm: PreTrainedModel) -> PreTrainedModel | PeftModel:
        """Freeze ``vlm`` and add the adapter; raises UserError when a target names no layer."""
        vlm.requires_grad_(False)
        if self.kind == "frozen":
            return vlm if self.path is None else load_adapter(vlm, self.path)
        if self.kind == "soft_prompt":
            return add_soft_prompt(vlm, self.tokens)
        if self.kind == "qlora":
            keep_4bit_layout(vlm)
        if self.path is not None:
            return self._begin_with(self.path, vlm)
        language_model = language_model_name(vlm)
        if self.kind == "none":
            for name, parameter in vlm.named_parameters():
                learns = self.vision == "full" or not is_tower(name, language_model)
                parameter.requires_grad_(learns)
            return vlm
        # Linear layers of the tower may have the names of targets.
        layers = [
            name
            for name, _ in vlm.named_modules()
            if not is_tower(name, language_model) and name.rpartition(".")[2] in self.targets
        ]
        check_targets(layers, self.targets)
        if self.vision == "lora":
            layers += [
                name
                for name, module in vlm.named_modules()
                if is_tower(name, language_model) and isinstance(module, nn.Linear)
            ]
        config = LoraConfig(
            r=self.rank,
            lora_alpha=self.alpha,
            # With dropout, log-probabilities of rollout and update would differ.
            lora_dropout=0.0,
            target_modules="|".join(re.escape(name) for name in layers),
            task_type="CAUSAL_LM",
        )
        return get_peft_model(vlm, config)

    def _begin_with(self, folder: str, vlm: PreTrainedModel) -> PeftModel:
        """``vlm`` with the trained LoRA of ``folder``, which learns on. Raises UserError where it
        is another one than the options say."""
        model = load_adapter(vlm, folder, learns=True)
        config = model.peft_config["default"]
        if not isinstance(config, LoraConfig):
            raise UserError(f"adapter.path={folder} is no LoRA: drop it, or train another adapter")
        if (config.r, config.lora_alpha) != (self.rank, self.alpha):
            raise UserError(
                f"adapter.path={folder} has other sizes: type adapter.rank={config.r} "
                f"adapter.alpha={config.lora_alpha}"
            )
        language_model = language_model_name(vlm)
        in_tower = any(
            parameter.requires_grad and is_tower(name, language_model)
            for name, parameter in vlm.named_parameters()
        )
        if in_tower != (self.vision == "lora"):
            has, vision = ("has", "lora") if in_tower else ("has no", "frozen")
            raise UserError(
                f"adapter.path={folder} {has} weights of the tower: type adapter.vision={vision}"
            )
        return model


def has_adapter(policy: Policy) -> bool:
    """Whether there is a base below that can answer alone."""
    return isinstance(policy.model, PeftModel)


@contextmanager
def without_adapter(policy: Policy) -> Iterator[None]:
    """Inside, a policy with an adapter computes as its base; one without computes as ever."""
    if not isinstance(policy.model, PeftModel):
        yield
        return
    encode = policy.encode
    policy.encode = encode.without_virtual_tokens()
    try:
        with policy.model.disable_adapter():
            yield
    finally:
        policy.encode = encode


def keep_4bit_layout(vlm: PreTrainedModel) -> None:
    """Keep bitsandbytes from repacking 4-bit weights for AVX-512 CPUs at their first inference.

    Repacked weights have coarser scales, so log-probabilities would change during a run, and their
    kernel has no backward pass, so no gradient would reach the adapters of earlier layers.
    """
    # Imported here, because the import searches for CPU kernels and warns.
    from bitsandbytes.nn.modules import Linear4bit

    for module in vlm.modules():
        if isinstance(module, Linear4bit):
            module.support_avx512bf16_for_cpu = False


def check_targets(layers: list[str], targets: tuple[str, ...]) -> None:
    """Raise UserError when a target matches none of ``layers``."""
    found = {name.rpartition(".")[2] for name in layers}
    missing = [target for target in targets if target not in found]
    if missing:
        raise UserError(
            f"adapter.targets names layers that the language model does not have: {missing}. "
            f"Type adapter.targets=[{','.join(LANGUAGE_LINEARS)}] or names from the model's code."
        )
