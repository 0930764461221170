"""The work of a GRPO step: the same prompts for all who are compared."""

from dataclasses import dataclass
from functools import cached_property

import torch
from PIL import Image
from random_models import PATCHES, WORD

from groundrl.policy.processor import Processor
from groundrl.prompts import PromptTemplate
from groundrl.records import Provenance, Sample


@dataclass(frozen=True, slots=True, kw_only=True)
class Square:
    """An image of one colour."""

    side: int
    number: int

    @property
    def key(self) -> str:
        return f"{self.side}/{self.number}"

    @property
    def width(self) -> int:
        return self.side

    @property
    def height(self) -> int:
        return self.side

    def load(self) -> Image.Image:
        """Colours differ for 256 numbers."""
        return Image.new("RGB", (self.side, self.side), (self.number * 101 % 256, 0, 0))


@dataclass(frozen=True, kw_only=True)
class Work:
    """P prompts of ``prompt`` tokens and G completions of ``completion`` tokens for each."""

    family: str
    size: str
    prompt: int
    completion: int
    group: int
    prompts: int
    image_share: float = 0.9
    """Of the prompt's tokens, at most."""
    device: str = "cpu"

    @property
    def dtype(self) -> torch.dtype:
        """Of the weights."""
        return torch.float32 if self.device == "cpu" else torch.bfloat16

    @property
    def pixels(self) -> int:
        """Side of the image, which is square; at least 16 tokens are left to the text."""
        tokens = min(self.image_share * self.prompt, self.prompt - 16)
        return int(tokens**0.5) * 2 * PATCHES[self.family]

    @cached_property
    def image_tokens(self) -> int:
        """Tokens that stand for the image."""
        return (self.pixels // (2 * PATCHES[self.family])) ** 2

    def question(self, processor: Processor) -> str:
        """Words that make the prompt as long as it should be."""
        sample = self.sample(0, WORD.strip())
        text = processor.apply_chat_template(
            PromptTemplate().messages(sample), tokenize=False, add_generation_prompt=True
        )
        (short,) = processor(text=[text], images=[sample.image.load()])["input_ids"]
        return WORD.strip() + WORD * (self.prompt - len(short))

    def sample(self, number: int, question: str) -> Sample:
        """A question about an image of its own."""
        return Sample(
            id=str(number),
            image=Square(side=self.pixels, number=number),
            question=question,
            answers=(WORD.strip(),),
            provenance=Provenance(dataset="benchmark", split=""),
        )
