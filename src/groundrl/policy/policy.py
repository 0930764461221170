"""The policy and its reference: one copy of the base weights, adapters on top."""

import copy
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Literal, cast

import torch
from jaxtyping import Float, Int
from peft import PeftModel, get_peft_model_state_dict, set_peft_model_state_dict
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint
from transformers import PreTrainedModel
from transformers.modeling_layers import GradientCheckpointingLayer

from groundrl.boxes import Frame
from groundrl.policy.adapters.soft_prompt import freeze_soft_prompt, take_virtual_tokens
from groundrl.policy.adapters.tower import speed_up_tower
from groundrl.policy.adapters.trained import load_saved
from groundrl.policy.embedded import base_name
from groundrl.policy.family import ModelFamily, spec_of
from groundrl.policy.fingerprint import fingerprint
from groundrl.policy.processor import Processor
from groundrl.policy.prompt import Prompt, PromptEncoder
from groundrl.policy.shared_prefix.attention import NO_MASK, use_prefix_attention
from groundrl.policy.shared_prefix.flex import flex_prefix_attention
from groundrl.policy.shared_prefix.layout import Branch, Layout, lay_out
from groundrl.policy.shared_prefix.scoring import TokenLogprobs, score_tokens
from groundrl.policy.vision import VisionTower
from groundrl.policy.vision_store import VisionFeatures, VisionStore
from groundrl.prompts import PromptTemplate

logger = logging.getLogger(__name__)
Attention = Literal["sdpa", "flex_attention", "flash_attention_2"]
Features = Sequence[VisionFeatures | None] | None
"""Those of each prompt, or none at all."""
IMPOSSIBLE_LOGIT = -1e9
"""Logit of a token that is never part of an answer; finite, so that ``p * log p`` is 0 in
entropies, not NaN."""


class Policy(nn.Module):
    """A vision-language model with exact log-probabilities of given completions."""

    def __init__(
        self,
        model: PreTrainedModel | PeftModel,
        processor: Processor,
        template: PromptTemplate,
        frame: Frame,
        prefix_sharing: bool = True,
        gradient_checkpointing: bool = False,
        vision_store: VisionStore | None = None,
        attention: Attention = "sdpa",
        family: ModelFamily | None = None,
    ) -> None:
        """``gradient_checkpointing`` trades a second forward pass for the memory of activations.
        ``vision_store`` is for frozen towers. ``family``: facts about the model's class; None:
        those in ``policy/families``, and where there are none, no prompts are shared."""
        super().__init__()
        self.model = model
        self.spec = spec_of(self.vlm, family)
        if self.spec.family is not None and self.spec.family.packed_tower:
            speed_up_tower(self.vlm)
        self.attention = attention
        self.can_share_prefixes = self.spec.shares_prefixes and attention != "flash_attention_2"
        """Whether completions can share a prompt, in the update and in rollouts."""
        if self.can_share_prefixes:
            use_prefix_attention(self.vlm)
        if prefix_sharing and not self.spec.shares_prefixes:
            logger.warning(
                "%s %s: each prompt is computed once per completion, with stock attention",
                self.vlm.config.model_type,
                "is not tested with shared prompts"
                if self.spec.family is None
                else "has recurrent layers",
            )
        self.processor = processor
        self.frame = frame
        self.prefix_sharing = prefix_sharing and self.can_share_prefixes
        self.gradient_checkpointing = gradient_checkpointing
        self.tower = VisionTower(self.vlm, self.spec, vision_store)
        virtual_tokens = take_virtual_tokens(model)
        self.encode = PromptEncoder(self.vlm, processor, template, self.spec, virtual_tokens)
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
        """The device of the weights."""
        return self.vlm.device

    @property
    def pad_token(self) -> int:
        """Id of the padding token."""
        return self.processor.tokenizer.pad_token_id

    @property
    def eos_token(self) -> int:
        """Id of the token that ends a completion."""
        return self.encode.end_token

    def decode(self, tokens: Sequence[int]) -> str:
        """``PromptEncoder.completion_text``."""
        return self.encode.completion_text(tokens)

    def features(self, prompts: list[Prompt]) -> list[VisionFeatures]:
        """Image features of each prompt."""
        with self._checkpointed_layers():
            return self.tower(prompts)

    @torch.no_grad()
    def fixed_features(self, prompts: list[Prompt]) -> list[VisionFeatures] | list[None]:
        """As ``features``, for several forward passes; None where the tower learns: each pass then
        computes its own, with gradient."""
        return [None] * len(prompts) if self.tower.learns else self.features(prompts)

    def logprobs(
        self,
        prompts: list[Prompt],
        completions: Sequence[Sequence[Branch]],
        features: Features = None,
        temperature: float = 1.0,
    ) -> TokenLogprobs:
        """Log-probabilities of each prompt's completions, ``log softmax(logits / temperature)``.

        The B rows of the result are the completions of all prompts in order. With
        ``prefix_sharing`` a prompt is computed once for all its completions. ``features``: one per
        prompt; None: they are computed, with gradient where the tower learns.
        """
        hidden, layout = self.hidden_states(prompts, completions, features)
        vocabulary = self.vlm.config.get_text_config().vocab_size
        return score_tokens(hidden, layout, self.logits, vocabulary, temperature)

    def token_states(
        self,
        prompts: list[Prompt],
        completions: Sequence[Sequence[Branch]],
        features: Features = None,
    ) -> Float[Tensor, "B T width"]:
        """The last hidden state at each token of each prompt's completions, padded to the longest;
        rows and ``features`` as in ``logprobs``."""
        hidden, layout = self.hidden_states(prompts, completions, features)
        return hidden.flatten(0, 1)[layout.attention.branch_index.to(hidden.device)]

    def hidden_states(
        self,
        prompts: list[Prompt],
        completions: Sequence[Sequence[Branch]],
        features: Features,
    ) -> tuple[Float[Tensor, "R L width"], Layout]:
        """The last hidden state at each token of one forward pass over all prompts with their
        completions, and where each stands in it."""
        found = [one for one in features or () if one is not None] or self.features(prompts)
        if not self.prefix_sharing:
            prompts = [p for p, group in zip(prompts, completions, strict=True) for _ in group]
            found = [f for f, group in zip(found, completions, strict=True) for _ in group]
            completions = [[branch] for group in completions for branch in group]
        layout = lay_out(
            [prompt.prefix for prompt in prompts],
            completions,
            pad=self.pad_token,
            window=self.spec.window,
            images_see_themselves=self.spec.images_see_themselves,
        )
        return self._hidden(layout, found), layout

    def _hidden(self, layout: Layout, features: list[VisionFeatures]) -> Float[Tensor, "R L width"]:
        with self._checkpointed_layers():
            output = self.vlm.model(
                input_ids=layout.input_ids.to(self.device),
                position_ids=self.positions(layout.position_ids),
                mm_encoder_outputs=self.tower.outputs(features),
                use_cache=False,
                **self._attention_inputs(layout),
            )
        return output.last_hidden_state

    def _attention_inputs(self, layout: Layout) -> dict[str, object]:
        """The arguments of the model's forward pass that decide which tokens attend to which."""
        if not self.can_share_prefixes:  # each row holds one completion
            types = self.spec.type_ids(layout.images, layout.owner >= 0)
            inputs = {"attention_mask": layout.owner != -2, **types}
            return {name: x.to(self.device) for name, x in inputs.items()}
        if self.attention == "sdpa":
            attention = layout.attention.to(self.device)
        else:
            attention = flex_prefix_attention(
                layout.owner.to(self.device),
                layout.position_ids[0].to(self.device),
                layout.images.to(self.device) if self.spec.images_see_themselves else None,
                self.spec.window,
            )
        return {"attention_mask": NO_MASK, "prefix_attention": attention}

    def positions(self, positions: Int[Tensor, "axes R L"]) -> Tensor:
        """Rotary positions in the model's form: [axes R L], or [R L] where there is one axis."""
        positions = positions.to(self.device)
        return positions if len(positions) > 1 else positions[0]

    @contextmanager
    def _checkpointed_layers(self) -> Iterator[None]:
        """With ``gradient_checkpointing``, the backward pass computes layers again."""
        layers = [m for m in self.vlm.modules() if isinstance(m, GradientCheckpointingLayer)]
        on = self.gradient_checkpointing and torch.is_grad_enabled()
        recompute = partial(checkpoint, use_reentrant=False)
        for layer in layers:
            vars(layer).update(gradient_checkpointing=on, _gradient_checkpointing_func=recompute)
        try:
            yield
        finally:
            for layer in layers:  # with checkpointing, a rollout would lose its KV cache
                layer.gradient_checkpointing = False

    def fix_reference(self) -> None:
        """Make the current policy the reference.

        With an adapter the base weights are shared and only the adapter is copied; a new LoRA
        changes nothing, so its reference is the base model. Without adapter the whole model is
        copied.
        """
        if isinstance(self.model, PeftModel):
            # No embedding is trained, and "auto" asks the hub.
            weights = get_peft_model_state_dict(self.model, save_embedding_layers=False)
            self.model.add_adapter("reference", self.model.peft_config["default"])
            set_peft_model_state_dict(self.model, weights, adapter_name="reference")
            freeze_soft_prompt(self.model, "reference")
            self.model.set_adapter("default")
        else:
            self._frozen_copy = (copy.deepcopy(self.model).requires_grad_(False),)

    def fixed_weights(self) -> dict[str, int]:
        """Fingerprints of the weights that must never change: the "base", a frozen tower included,
        and the "reference", if there is one. Scales of 4-bit weights count as weights."""
        own = self.vlm.state_dict(keep_vars=True).items()
        base = [x for name, x in own if "lora_" not in name and not x.requires_grad]
        tensors = self.model.state_dict(keep_vars=True).items()
        reference = [x for name, x in tensors if ".reference." in name]
        reference += [x for copied in self._frozen_copy for x in copied.state_dict().values()]
        fingerprints = {"base": fingerprint(base)}
        return fingerprints | ({"reference": fingerprint(reference)} if reference else {})

    def logits(self, states: Float[Tensor, "tokens width"]) -> Float[Tensor, "tokens V"]:
        """Next-token logits in float32. Placeholder tokens of images and videos have probability
        0, in sampling and in scoring."""
        placeholders = torch.tensor(self.spec.placeholders, device=self.device)
        return self.vlm.lm_head(states).float().index_fill(-1, placeholders, IMPOSSIBLE_LOGIT)

    @contextmanager
    def reference(self) -> Iterator[None]:
        """Inside, the policy computes as the reference, without gradient."""
        policy = self.model
        with torch.no_grad():
            if isinstance(policy, PeftModel):
                policy.set_adapter("reference", inference_mode=True)
            else:
                (frozen,) = self._frozen_copy
                # Lightning, which moves the policy, does not know this copy.
                nn.Module.to(frozen, self.device)
                self.model = self.tower.vlm = frozen
            try:
                yield
            finally:
                if isinstance(policy, PeftModel):
                    policy.set_adapter("default")
                else:
                    self.model = self.tower.vlm = policy

    def save(self, folder: Path) -> None:
        """Write the adapter in PEFT format, its base as other machines know it (``base_name``);
        without adapter, the whole model and its processor."""
        if isinstance(self.model, PeftModel):
            config = self.model.peft_config["default"]
            config.base_model_name_or_path = base_name(self.vlm.name_or_path or "")
            self.model.save_pretrained(
                str(folder),
                selected_adapters=["default"],
                save_embedding_layers=False,  # none is trained, and "auto" asks the hub each time
            )
            # PEFT's card: a form to fill in, with the path of the base on this machine.
            (folder / "README.md").unlink()
        else:
            self.model.save_pretrained(str(folder))
            self.processor.save_pretrained(str(folder))
        for file in folder.glob("*.safetensors"):
            file.chmod(0o644)  # safetensors keeps other users out, and a server may be one

    def load(self, folder: Path) -> None:
        """Load weights that ``save`` wrote. Raises UserError where they are damaged."""
        load_saved(self.model, folder)
