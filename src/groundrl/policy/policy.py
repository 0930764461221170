"""The policy and its reference: one copy of the base weights, adapters on top."""

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import torch
from jaxtyping import Bool, Float
from peft import PeftModel, get_peft_model_state_dict, set_peft_model_state_dict
from peft.utils import load_peft_weights
from torch import Tensor, nn
from transformers import PreTrainedModel

from groundrl.boxes import Frame
from groundrl.policy.layout import Branch, Layout, lay_out
from groundrl.policy.prompt import Processor, Prompt, PromptEncoder, pixel_batch
from groundrl.policy.tower import speed_up_tower
from groundrl.prompts import PromptTemplate

NEVER = -1e9
"""Logit of an impossible token; finite, so that ``0 * log 0`` is 0 in entropies."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VisionFeatures:
    """What the vision tower says about one image."""

    tokens: Float[Tensor, "tokens width"]
    """Embeddings that stand in for the image tokens of the prompt."""
    deepstack: tuple[Float[Tensor, "tokens width"], ...]
    """Features added after the first language layers (Qwen3-VL); empty elsewhere."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenLogprobs:
    """Log-probabilities of given completions, B rows padded to T tokens."""

    logprobs: Float[Tensor, "B T"]
    entropy: Float[Tensor, "B T"]
    """Of the distribution that each token was drawn from, in nats; carries no gradient."""
    mask: Bool[Tensor, "B T"]
    """True on scored tokens."""


class Policy(nn.Module):
    """A vision-language model that answers prompts, with exact log-probabilities of answers."""

    def __init__(
        self,
        model: PreTrainedModel | PeftModel,
        processor: Processor,
        template: PromptTemplate,
        frame: Frame,
        prefix_sharing: bool = True,
    ) -> None:
        super().__init__()
        self.model = model
        speed_up_tower(self.vlm)
        self.processor = processor
        self.frame = frame
        self.prefix_sharing = prefix_sharing
        self.encode = PromptEncoder(self.vlm, processor, template)
        # A tuple hides the copy from nn.Module: it is neither trained nor saved.
        self._frozen_copy: tuple[PreTrainedModel, ...] = ()

    @property
    def vlm(self) -> PreTrainedModel:
        """The transformers model itself, with the adapter's layers inside."""
        if isinstance(self.model, PeftModel):
            return cast(PreTrainedModel, self.model.get_base_model())
        return self.model

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.vlm.device

    @property
    def pad_token(self) -> int:
        """Token id of padding."""
        return self.processor.tokenizer.pad_token_id

    @property
    def eos_token(self) -> int:
        """Token id that ends an answer."""
        return self.processor.tokenizer.eos_token_id

    def decode(self, tokens: Sequence[int]) -> str:
        """Text of a completion without special tokens."""
        return self.processor.tokenizer.decode(tokens, skip_special_tokens=True)

    def features(self, prompts: list[Prompt]) -> list[VisionFeatures]:
        """Run the vision tower once over the images of ``prompts``."""
        pixels, grids = pixel_batch(prompts)
        output = self.vlm.model.get_image_features(pixels.to(self.device), grids.to(self.device))
        deepstack = zip(*getattr(output, "deepstack_features", None) or (), strict=True)
        layers = list(deepstack) or [()] * len(prompts)
        return [
            VisionFeatures(tokens=tokens, deepstack=tuple(deep))
            for tokens, deep in zip(output.pooler_output, layers, strict=True)
        ]

    def logprobs(
        self,
        prompts: list[Prompt],
        completions: Sequence[Sequence[Branch]],
        features: list[VisionFeatures] | None = None,
        temperature: float = 1.0,
    ) -> TokenLogprobs:
        """Log-probabilities of each prompt's completions, ``log softmax(logits / temperature)``.

        The rows of the result are the completions of all prompts in order (B of them). With
        ``prefix_sharing`` a prompt is computed once for all its completions.
        """
        if not self.prefix_sharing:
            prompts = [p for p, group in zip(prompts, completions, strict=True) for _ in group]
            if features is not None:
                features = [
                    f for f, group in zip(features, completions, strict=True) for _ in group
                ]
            completions = [[branch] for group in completions for branch in group]
        prefixes = [prompt.prefix for prompt in prompts]
        layout = lay_out(prefixes, completions, pad=self.pad_token)
        hidden = self._hidden(layout, features or self.features(prompts))
        return self._score(hidden, layout, temperature)

    def _hidden(self, layout: Layout, features: list[VisionFeatures]) -> Float[Tensor, "R L width"]:
        output = self.vlm.model(
            input_ids=layout.input_ids.to(self.device),
            position_ids=layout.position_ids.to(self.device),
            attention_mask=layout.attention_mask.to(self.device),
            mm_encoder_outputs={"image": encoder_output(features)},
            use_cache=False,
        )
        return output.last_hidden_state

    def _score(
        self, hidden: Float[Tensor, "R L width"], layout: Layout, temperature: float
    ) -> TokenLogprobs:
        scored = layout.scored.to(self.device)
        states = hidden.flatten(0, 1)[layout.source.to(self.device)[scored]]
        table = torch.log_softmax(self.logits(states) / temperature, dim=-1)
        chosen = table.gather(-1, layout.targets.to(self.device)[scored][:, None])[:, 0]
        zeros = torch.zeros(scored.shape, device=self.device)
        table = table.detach()
        return TokenLogprobs(
            logprobs=zeros.masked_scatter(scored, chosen),
            entropy=zeros.masked_scatter(scored, -(table.exp() * table).sum(-1)),
            mask=scored,
        )

    def fix_reference(self) -> None:
        """Make the policy of this moment the reference.

        With an adapter the base weights are shared and only the adapter is copied; a fresh adapter
        changes nothing, so its reference is the bare base model. Without one, the whole model is
        copied.
        """
        if isinstance(self.model, PeftModel):
            weights = get_peft_model_state_dict(self.model)
            self.model.add_adapter("reference", self.model.peft_config["default"])
            set_peft_model_state_dict(self.model, weights, adapter_name="reference")
            self.model.set_adapter("default")
        else:
            self._frozen_copy = (copy.deepcopy(self.model).requires_grad_(False),)

    def logits(self, states: Float[Tensor, "tokens width"]) -> Float[Tensor, "tokens V"]:
        """Next-token logits in float32. Image and video tokens stand for pixels: none is ever an
        answer, so their probability is 0 for sampling and scoring alike."""
        logits = self.vlm.lm_head(states).float()
        config = self.vlm.config
        return logits.index_fill(
            -1,
            torch.tensor([config.image_token_id, config.video_token_id], device=self.device),
            NEVER,
        )

    @contextmanager
    def reference(self) -> Iterator[None]:
        """Inside, the policy computes as the reference, without gradient."""
        policy = self.model
        with torch.no_grad():
            if isinstance(policy, PeftModel):
                policy.set_adapter("reference", inference_mode=True)
            else:
                (frozen,) = self._frozen_copy
                # It is hidden from Lightning, which moves the policy.
                nn.Module.to(frozen, self.device)
                self.model = frozen
            try:
                yield
            finally:
                if isinstance(policy, PeftModel):
                    policy.set_adapter("default")
                else:
                    self.model = policy

    def save(self, folder: Path) -> None:
        """Write the adapter in PEFT format; without one, the whole model and its processor."""
        if isinstance(self.model, PeftModel):
            self.model.save_pretrained(str(folder), selected_adapters=["default"])
        else:
            self.model.save_pretrained(str(folder))
            self.processor.save_pretrained(str(folder))

    def load(self, folder: Path) -> None:
        """Take over what ``save`` wrote."""
        if isinstance(self.model, PeftModel):
            set_peft_model_state_dict(self.model, load_peft_weights(str(folder), device="cpu"))
        else:
            saved = type(self.model).from_pretrained(str(folder), dtype=self.model.dtype)
            self.model.load_state_dict(saved.state_dict())


def encoder_output(features: list[VisionFeatures]) -> SimpleNamespace:
    """Features in the form in which the model classes take them back."""
    return SimpleNamespace(
        pooler_output=[feature.tokens for feature in features],
        deepstack_features=list(zip(*(feature.deepstack for feature in features), strict=True)),
    )
