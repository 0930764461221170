"""Sample -> the tokens, pixels and rotary positions that the model reads."""

from collections.abc import Mapping
from dataclasses import dataclass
from inspect import signature
from typing import Any, Protocol, runtime_checkable

import torch
from jaxtyping import Int
from torch import Tensor
from transformers import PreTrainedModel

from groundrl.boxes import View
from groundrl.policy.family import ModelSpec
from groundrl.policy.layout import Prefix
from groundrl.prompts import PromptTemplate
from groundrl.records import ImageSource, Sample

Messages = list[dict[str, Any]]
"""A conversation as chat templates take it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """An encoded prompt, generation header included."""

    prefix: Prefix
    images: dict[str, Tensor]
    """What the vision tower reads, under the names of the model's class."""
    messages: Messages
    """What the chat template was given: what an engine with a processor of its own starts from."""
    source: ImageSource
    view: View


IMAGE_ONLY = [{"role": "user", "content": [{"type": "image"}]}]


@runtime_checkable
class Processor(Protocol):
    """What the processors of all image-text models of ``transformers`` have in common."""

    tokenizer: Any
    image_processor: Any
    image_token: str
    """Stands for one image in the chat template's text."""

    def apply_chat_template(self, conversation: Any, **kwargs: Any) -> Any: ...
    def __call__(self, *args: Any, **kwargs: Any) -> Any: ...
    def save_pretrained(self, save_directory: Any, **kwargs: Any) -> Any: ...


class PromptEncoder:
    """Applies the prompt template, the chat template, the tokenizer and the image processor."""

    def __init__(
        self,
        vlm: PreTrainedModel,
        processor: Processor,
        template: PromptTemplate,
        spec: ModelSpec,
    ) -> None:
        self.template = template
        self.processor = processor
        self._model: Any = vlm.model
        self._spec = spec
        reads = set(signature(self._model.get_image_features).parameters)
        self._reads = reads & set(processor.image_processor.model_input_names)
        self.end_token = end_token(processor)

    def __call__(self, sample: Sample) -> Prompt:
        """Encode one sample on the CPU."""
        messages = self.template.messages(sample)
        return self._encode(self._text(messages), sample.image, messages)

    def image_prefix(self, image: ImageSource) -> Prompt:
        """The prompt up to the end of its image: what all questions about it share."""
        token = self.processor.image_token
        head = self.processor.apply_chat_template(IMAGE_ONLY, tokenize=False).partition(token)[0]
        return self._encode(head + token, image, IMAGE_ONLY)

    def after_image(self, sample: Sample) -> list[int]:
        """Token ids of the prompt behind its image: the question and the generation header."""
        text = self._text(self.template.messages(sample))
        _, _, question = text.partition(self.processor.image_token)
        return self.processor.tokenizer.encode(question, add_special_tokens=False)

    def unexpanded(self, prompt: Prompt) -> list[int]:
        """Token ids of the prompt with one token for each image."""
        text = self._text(prompt.messages)
        return self.processor.tokenizer.encode(text, add_special_tokens=False)

    def _text(self, messages: Messages) -> str:
        return self.processor.apply_chat_template(
            messages, tokenize=False, add_generation_prompt=True
        )

    def _encode(self, text: str, image: ImageSource, messages: Messages) -> Prompt:
        inputs = self.processor(
            text=[text],
            images=[image.load()],
            return_tensors="pt",
            add_special_tokens=False,  # the chat template has written them
        )
        images = {name: inputs[name] for name in self._reads if name in inputs}
        tokens = inputs["input_ids"][0]
        width, height = self._model_size(image, images)
        return Prompt(
            prefix=Prefix(
                tokens=tokens, positions=self._positions(inputs), images=self._numbered(tokens)
            ),
            images=images,
            messages=messages,
            source=image,
            view=View(
                width=image.width, height=image.height, model_width=width, model_height=height
            ),
        )

    def _positions(self, inputs: Mapping[str, Tensor]) -> Int[Tensor, "axes prefix"]:
        if not hasattr(self._model, "get_rope_index"):
            return torch.arange(inputs["input_ids"].shape[1])[None]
        positions, _ = self._model.get_rope_index(
            input_ids=inputs["input_ids"],
            mm_token_type_ids=inputs["mm_token_type_ids"],
            image_grid_thw=inputs["image_grid_thw"],
        )
        return positions[:, 0]

    def _numbered(self, tokens: Int[Tensor, "prefix"]) -> Int[Tensor, "prefix"]:
        """Runs of image tokens, numbered from 1 on."""
        image = tokens == self._spec.image_token
        starts = image & ~image.roll(1)
        return starts.cumsum(0) * image

    def _model_size(self, image: ImageSource, images: dict[str, Tensor]) -> tuple[int, int]:
        """Width and height in pixels as the tower sees them, where it sees the image as a whole."""
        if "image_grid_thw" not in images:
            return image.width, image.height
        _, rows, columns = images["image_grid_thw"][0].tolist()
        patch = self.processor.image_processor.patch_size
        return columns * patch, rows * patch

    def answer_tokens(self, text: str) -> list[int]:
        """Token ids of a completion, end-of-turn token included."""
        return [*self.processor.tokenizer.encode(text, add_special_tokens=False), self.end_token]


def end_token(processor: Processor) -> int:
    """Id of what the chat template puts behind an answer; Gemma's and SmolVLM's tokenizers call
    another token their end."""
    turns = [(role, [{"type": "text", "text": role}]) for role in ("user", "assistant")]
    chat = [{"role": role, "content": content} for role, content in turns]
    text = processor.apply_chat_template(chat, tokenize=False)
    behind = text.rpartition("assistant")[2]
    tokens = processor.tokenizer.encode(behind, add_special_tokens=False)
    return tokens[0] if tokens else processor.tokenizer.eos_token_id
