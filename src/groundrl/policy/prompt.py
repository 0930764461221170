"""Sample -> the tokens, pixels and rotary positions that the model reads."""

from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor
from transformers import PreTrainedModel

from groundrl.boxes import View
from groundrl.policy.layout import Prefix
from groundrl.prompts import PromptTemplate
from groundrl.records import ImageSource, Sample


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """An encoded prompt, generation header included."""

    prefix: Prefix
    pixel_values: Float[Tensor, "patches channels"]
    grid: Int[Tensor, "3"]
    """Patches along time, height and width."""
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
        self, vlm: PreTrainedModel, processor: Processor, template: PromptTemplate
    ) -> None:
        self.template = template
        self.processor = processor
        self._rope_index: Any = vlm.model.get_rope_index
        self._patch = processor.image_processor.patch_size

    def __call__(self, sample: Sample) -> Prompt:
        """Encode one sample on the CPU."""
        return self._encode(self._text(sample), sample.image)

    def image_prefix(self, image: ImageSource) -> Prompt:
        """The prompt up to the end of its image: what all questions about it share."""
        token = self.processor.image_token
        head = self.processor.apply_chat_template(IMAGE_ONLY, tokenize=False).partition(token)[0]
        return self._encode(head + token, image)

    def after_image(self, sample: Sample) -> list[int]:
        """Token ids of the prompt behind its image: the question and the generation header."""
        _, _, question = self._text(sample).partition(self.processor.image_token)
        return self.processor.tokenizer.encode(question, add_special_tokens=False)

    def _text(self, sample: Sample) -> str:
        return self.processor.apply_chat_template(
            self.template.messages(sample), tokenize=False, add_generation_prompt=True
        )

    def _encode(self, text: str, image: ImageSource) -> Prompt:
        inputs = self.processor(text=[text], images=[image.load()], return_tensors="pt")
        positions, _ = self._rope_index(
            input_ids=inputs["input_ids"],
            mm_token_type_ids=inputs["mm_token_type_ids"],
            image_grid_thw=inputs["image_grid_thw"],
        )
        grid = inputs["image_grid_thw"][0]
        return Prompt(
            prefix=Prefix(tokens=inputs["input_ids"][0], positions=positions[:, 0]),
            pixel_values=inputs["pixel_values"],
            grid=grid,
            view=View(
                width=image.width,
                height=image.height,
                model_width=int(grid[2]) * self._patch,
                model_height=int(grid[1]) * self._patch,
            ),
        )

    def answer_tokens(self, text: str) -> list[int]:
        """Token ids of a completion, end-of-turn token included."""
        tokenizer = self.processor.tokenizer
        return [*tokenizer.encode(text, add_special_tokens=False), tokenizer.eos_token_id]


def pixel_batch(
    prompts: list[Prompt],
) -> tuple[Float[Tensor, "patches channels"], Int[Tensor, "images 3"]]:
    """The images of several prompts as the vision tower takes them."""
    return (
        torch.cat([prompt.pixel_values for prompt in prompts]),
        torch.stack([prompt.grid for prompt in prompts]),
    )
