"""What the package needs to know of a processor of ``transformers``."""

from typing import Any, Protocol, runtime_checkable


@runtime_checkable
class Processor(Protocol):
    """The common interface of the processors of image-text models of ``transformers``."""

    tokenizer: Any
    image_processor: Any
    image_token: str
    """Placeholder of one image in the text that the chat template returns."""

    def apply_chat_template(self, conversation: Any, **kwargs: Any) -> Any: ...
    def __call__(self, *args: Any, **kwargs: Any) -> Any: ...
    def save_pretrained(self, save_directory: Any, **kwargs: Any) -> Any: ...


def pixel_limits(processor: Processor) -> dict[str, int]:
    """Smallest and largest area of a resized image in pixels; empty for processors without."""
    if "image_grid_thw" not in processor.image_processor.model_input_names:
        return {}
    # The processors of Qwen-VL store areas under the names of edges.
    size = processor.image_processor.size
    return {"min_pixels": size["shortest_edge"], "max_pixels": size["longest_edge"]}


def limit_pixels(processor: Processor, smallest: int | None, largest: int | None) -> None:
    """Set the limits of ``pixel_limits``; None leaves one as it is, and processors without limits
    stay as they are."""
    if pixel_limits(processor):
        limits = {"shortest_edge": smallest, "longest_edge": largest}
        size = processor.image_processor.size
        for name, limit in limits.items():
            if limit is not None:
                size[name] = limit


def resize_factor(processor: Processor) -> int | None:
    """Width and height of resized images are multiples of it; None for processors that tile or
    distort images."""
    if "image_grid_thw" not in processor.image_processor.model_input_names:
        return None
    return processor.image_processor.patch_size * processor.image_processor.merge_size


def find_end_token(processor: Processor) -> int:
    """Id of the token that the chat template puts after an answer. It is not always the
    tokenizer's end token: not for Gemma and SmolVLM."""
    turns = [(role, [{"type": "text", "text": role}]) for role in ("user", "assistant")]
    chat = [{"role": role, "content": content} for role, content in turns]
    text = processor.apply_chat_template(chat, tokenize=False)
    after_answer = text.rpartition("assistant")[2]
    tokens = processor.tokenizer.encode(after_answer, add_special_tokens=False)
    return tokens[0] if tokens else processor.tokenizer.eos_token_id
