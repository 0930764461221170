"""``groundrl.json``: how a shared model is asked, and how its answers are read."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Literal, cast

from groundrl.answers.notation import Notation
from groundrl.errors import UserError
from groundrl.files import parse_json, write_json
from groundrl.grammar.base import Grammar
from groundrl.json_rows import Text, Whole, validate
from groundrl.policy.embedded import base_name
from groundrl.policy.policy import Policy
from groundrl.policy.processor import pixel_limits, resize_factor
from groundrl.prompts import PromptTemplate

DESCRIPTION: Final = "groundrl.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelDescription:
    """The content of the file."""

    base: Text
    """"embedded", a hub id or a folder."""
    grammar: Text
    frame: Text
    """Of the boxes that the model writes."""
    instruction: Text
    answer_style: Literal["words", "letters"]
    max_tokens: Whole
    """Of an answer, in training."""
    dtype: Literal["float32", "bfloat16", "float16"]
    """Of the weights of the base."""
    min_pixels: Whole | None
    """Area of the resized image; None for processors without such limits."""
    max_pixels: Whole | None
    resize_factor: Whole | None
    """Width and height of the resized image are multiples of it."""

    @property
    def notation(self) -> Notation:
        """How the model writes boxes. Raises UserError for unknown names."""
        return Notation.of(self.grammar, self.frame)

    @property
    def template(self) -> PromptTemplate:
        """How it is asked."""
        return PromptTemplate(instruction=self.instruction, answer_style=self.answer_style)


def describe(policy: Policy, grammar: Grammar, max_tokens: int) -> ModelDescription:
    """The description of a trained policy."""
    limits = pixel_limits(policy.processor)
    template = policy.encode.template
    return ModelDescription(
        base=base_name(policy.vlm.name_or_path or ""),
        grammar=grammar.name,
        frame=policy.frame.value,
        instruction=template.instruction,
        answer_style=template.answer_style,
        max_tokens=max_tokens,
        dtype=cast(Any, str(policy.vlm.dtype).removeprefix("torch.")),
        min_pixels=limits.get("min_pixels"),
        max_pixels=limits.get("max_pixels"),
        resize_factor=resize_factor(policy.processor),
    )


def write_description(folder: Path, description: ModelDescription) -> None:
    """Write the file into ``folder``."""
    write_json(folder / DESCRIPTION, asdict(description))


def read_description(folder: Path) -> ModelDescription:
    """The description in ``folder``. Raises UserError where it is missing or damaged."""
    path = folder / DESCRIPTION
    if not path.is_file():
        raise UserError(
            f"{folder} has no {DESCRIPTION}: give the adapter/ of a finished run of train.py, or a "
            "folder that python -m groundrl.export wrote"
        )
    try:
        found = validate(ModelDescription, parse_json(path.read_text(encoding="utf-8")))
    except ValueError as error:  # of JSON, UTF-8 or a field
        raise UserError(f"{path}: {error}. Export the run again.") from error
    _ = found.notation
    return found
