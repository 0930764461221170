"""The work of a GRPO step: the same prompts for all who are compared."""

from argparse import ArgumentParser, Namespace
from dataclasses import dataclass, fields
from functools import cached_property

import torch
from PIL import Image
from random_models import FAMILIES, PATCHES, SIZES, WORD

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

    @classmethod
    def of(cls, options: Namespace) -> "Work":
        """As ``add_options`` lets it be typed."""
        names = {field.name for field in fields(cls)}
        return cls(**{name: value for name, value in vars(options).items() if name in names})

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


def add_options(parser: ArgumentParser) -> None:
    """The options of ``Work``; ``image_share`` stays as it is."""
    parser.add_argument("--family", choices=FAMILIES, default="qwen2_5_vl")
    parser.add_argument("--size", choices=SIZES, default="tiny")
    parser.add_argument("--prompt", type=int, default=298, help="tokens, nine tenths image")
    parser.add_argument("--completion", type=int, default=48, help="tokens")
    parser.add_argument("--group", type=int, default=8)
    parser.add_argument("--prompts", type=int, default=2, help="per step")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
