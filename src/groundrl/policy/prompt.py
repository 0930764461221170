"""Encodes a sample as the tokens, pixels and rotary positions that the model takes."""

from collections.abc import Iterable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, replace
from inspect import signature
from typing import Any

import torch
from jaxtyping import Int
from torch import Tensor, nn
from transformers import PreTrainedModel

from groundrl.boxes import Frame, ImageSizes
from groundrl.control_tokens import CUT, break_tokens, control_tokens, token_starts
from groundrl.policy.completion_text import find_opening, find_silent_tokens
from groundrl.policy.family import ModelSpec
from groundrl.policy.processor import Processor, find_end_token
from groundrl.policy.shared_prefix.layout import Prefix
from groundrl.prompts import PromptTemplate, map_texts
from groundrl.records import ImageSource, Response, Sample

Messages = list[dict[str, Any]]
"""A conversation in the form that chat templates take."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptImage:
    """One image of a prompt."""

    source: ImageSource
    pixels: dict[str, Tensor]
    """Inputs of the vision tower by argument name."""
    tokens: int
    """Number of placeholder tokens of the prompt that stand for the image."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """An encoded prompt, including the header that starts the model's turn."""

    prefix: Prefix
    images: tuple[PromptImage, ...]
    messages: Messages
    """Input of the chat template, for engines that have their own processor. Control tokens in the
    sample's texts are broken by ``CUT``."""
    sizes: ImageSizes
    """Sizes of the first image, to which boxes refer."""


Example = tuple[Sample, Prompt]
"""A sample and its prompt."""


class PromptEncoder:
    """Applies the prompt template, the chat template, the tokenizer and the image processor.

    It holds no weights, so it can be sent to data loader processes.
    """

    def __init__(
        self,
        vlm: PreTrainedModel,
        processor: Processor,
        template: PromptTemplate,
        spec: ModelSpec,
        virtual_tokens: range = range(0),
    ) -> None:
        """``virtual_tokens``: ids of a soft prompt, which start each prompt."""
        self.virtual_tokens = virtual_tokens
        self.template = template
        self.processor = processor
        self._model: Any = without_weights(vlm.model)
        self._spec = spec
        inputs = set(signature(vlm.model.get_image_features).parameters)
        self._pixel_inputs = inputs & set(processor.image_processor.model_input_names)
        self.end_token = find_end_token(processor)
        self._control_tokens = token_starts(control_tokens(processor))
        self.opening = find_opening(processor)
        """What the chat template writes of a completion: ``<think>``, or nothing."""
        self._silent_tokens = find_silent_tokens(processor.tokenizer)
        self._last: dict[tuple[str, ...], Prompt] = {}
        """The image prefix of the last sample, by the keys of its images."""

    def with_template(self, template: PromptTemplate) -> "PromptEncoder":
        """A copy that writes prompts by another template; this encoder stays as it is."""
        encoder = copy(self)
        encoder.template = template
        return encoder

    def without_virtual_tokens(self) -> "PromptEncoder":
        """A copy that encodes prompts for the model without its soft prompt."""
        encoder = copy(self)
        encoder.virtual_tokens, encoder._last = range(0), {}
        return encoder

    def __call__(self, sample: Sample) -> Prompt:
        """Encode one sample on the CPU. Images that are those of the last sample are not processed
        again."""
        keys = tuple(image.key for image in sample.images)
        images = self._last.get(keys) or self.image_prefix(*sample.images)
        self._last = {keys: images}
        return replace(
            images,
            prefix=images.prefix.followed_by(self.after_images(sample)),
            messages=self._messages(sample),
        )

    def examples(self, samples: Iterable[Sample]) -> list[Example]:
        """Each sample with its prompt."""
        return [(sample, self(sample)) for sample in samples]

    def image_prefix(self, *images: ImageSource) -> Prompt:
        """The prompt up to the end of its images, which all questions about them share."""
        messages: Messages = [{"role": "user", "content": [{"type": "image"} for _ in images]}]
        token = self.processor.image_token
        text = self.processor.apply_chat_template(messages, tokenize=False).rpartition(token)[0]
        return self._encode(text + token, images, messages)

    def after_images(self, sample: Sample) -> list[int]:
        """Token ids of the prompt after its images: the question, and the header that starts the
        model's turn."""
        _, image, question = self._text(self._messages(sample)).rpartition(
            self.processor.image_token
        )
        # Encoded after an image token, since some tokenizers treat the start of a text differently.
        return self.text_tokens(image + question)[1:]

    def unexpanded(self, prompt: Prompt) -> list[int]:
        """Token ids of the prompt with one placeholder per image, as vLLM takes them."""
        return self.text_tokens(self._text(prompt.messages))

    def as_text(self, text: str) -> str:
        """A text of the data with ``CUT`` in each control token: ``text_tokens`` then has none of
        them, and the same text when decoded."""
        return break_tokens(text, self._control_tokens, CUT)

    def target(self, sample: Sample, sizes: ImageSizes, frame: Frame) -> Response:
        """The template's target; control tokens in the sample's texts are broken by ``CUT``."""
        return self.template.response(map_texts(sample, self.as_text), sizes, frame)

    def _messages(self, sample: Sample) -> Messages:
        return self.template.messages(map_texts(sample, self.as_text))

    def _text(self, messages: Messages) -> str:
        return self.processor.apply_chat_template(
            messages, tokenize=False, add_generation_prompt=True
        )

    def _encode(self, text: str, sources: Sequence[ImageSource], messages: Messages) -> Prompt:
        inputs = self.processor(
            text=[text],
            images=[[source.load() for source in sources]],
            return_tensors="pt",
            add_special_tokens=False,  # the chat template adds them
            **({"return_text_replacement_offsets": True} if len(sources) > 1 else {}),
        )
        tokens = inputs["input_ids"][0]
        images = self._images(inputs, sources)
        prefix = Prefix(
            tokens=tokens, positions=self._positions(inputs), images=self._image_index(tokens)
        )
        return Prompt(
            prefix=prefix.behind(self.virtual_tokens),
            images=images,
            messages=messages,
            sizes=self._sizes(images[0]),
        )

    def _images(
        self, inputs: Mapping[str, Any], sources: Sequence[ImageSource]
    ) -> tuple[PromptImage, ...]:
        if len(sources) == 1:
            tokens = [int((inputs["input_ids"] == self._spec.image_token).sum())]
        else:
            placeholder = self.processor.tokenizer.convert_ids_to_tokens(self._spec.image_token)
            (expanded,) = inputs["text_replacement_offsets"]
            tokens = [image["replacement"].count(placeholder) for image in expanded]
        names = [name for name in self._pixel_inputs if name in inputs]
        parts = zip(*(split_by_image(inputs[name], tokens) for name in names), strict=True)
        return tuple(
            PromptImage(source=source, pixels=dict(zip(names, part, strict=True)), tokens=count)
            for source, part, count in zip(sources, parts, tokens, strict=True)
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

    def _image_index(self, tokens: Int[Tensor, "prefix"]) -> Int[Tensor, "prefix"]:
        """k on the k-th run of image tokens, from 1 on; 0 on text. An image may have several."""
        image = tokens == self._spec.image_token
        starts = image & ~image.roll(1)
        return starts.cumsum(0) * image

    def _sizes(self, image: PromptImage) -> ImageSizes:
        """Sizes of the image as stored and as resized; processors that tile or distort images have
        no resized size, and the stored one takes its place."""
        width, height = image.source.width, image.source.height
        size = (width, height)
        if "image_grid_thw" in image.pixels:
            _, rows, columns = image.pixels["image_grid_thw"][0].tolist()
            patch = self.processor.image_processor.patch_size
            size = (columns * patch, rows * patch)
        return ImageSizes(width=width, height=height, model_width=size[0], model_height=size[1])

    def text_tokens(self, text: str) -> list[int]:
        """Token ids of ``text`` as the start of a completion; the parts between ``CUT`` are
        encoded one by one."""
        encode, image = self.processor.tokenizer.encode, self.processor.image_token
        first, *others = text.split(CUT)
        tokens = encode(first, add_special_tokens=False)
        for part in others:  # after an image token, as in ``after_images``
            tokens += encode(image + part, add_special_tokens=False)[1:]
        return tokens

    def answer_tokens(self, text: str) -> list[int]:
        """Token ids of ``text`` as a completion, end-of-turn token included, without what the chat
        template has opened."""
        own = text.removeprefix(self.opening.rstrip()) if self.opening else text
        return [*self.text_tokens(own), self.end_token]

    def completion_text(self, tokens: Sequence[int]) -> str:
        """The text of a completion with what the chat template has opened, without the special
        tokens that are no part of a box."""
        own = [token for token in tokens if token not in self._silent_tokens]
        return self.opening + self.processor.tokenizer.decode(own)


def split_by_image(tensor: Tensor, tokens: Sequence[int]) -> list[Tensor]:
    """Split an output of the processor by image; ``tokens``: placeholder tokens of each image.

    A leading batch dimension of 1 is skipped. Along the next dimension an image has one row, or
    rows (patches or tiles) in proportion to its tokens. A tensor of one dimension belongs to all
    images.
    """
    if len(tokens) == 1 or tensor.ndim == 1:
        return [tensor] * len(tokens)
    dim = 1 if len(tensor) == 1 else 0
    rows = tensor.shape[dim]
    each = [rows * count // sum(tokens) for count in tokens]
    return list(tensor.split([1] * rows if rows == len(tokens) else each, dim))


def without_weights(model: nn.Module) -> nn.Module:
    """An instance of the model's class that has a config only, enough for rotary positions."""
    shell = object.__new__(type(model))
    nn.Module.__init__(shell)
    shell.config = model.config
    return shell
