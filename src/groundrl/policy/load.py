"""From a checkpoint to a policy."""

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from pickle import UnpicklingError
from typing import Literal

import torch
from safetensors import SafetensorError
from transformers import AutoModelForImageTextToText, AutoProcessor

from groundrl.boxes import Frame
from groundrl.config_node import ConfigNode, config_hooks
from groundrl.errors import UserError
from groundrl.policy.adapters.adapter import Adapter
from groundrl.policy.embedded import embedded_model_dir
from groundrl.policy.family import ModelFamily
from groundrl.policy.policy import Attention, Policy
from groundrl.policy.processor import limit_pixels
from groundrl.policy.vision_store import VisionStore
from groundrl.prompts import PromptTemplate


def loading_problems(node: ConfigNode) -> Iterator[str]:
    """A path that names no folder, or an adapter's; kinds of attention for which something is
    missing."""
    path = node.options.get("path")
    if isinstance(path, str) and (Path(path) / "adapter_config.json").is_file():
        if not (Path(path) / "config.json").is_file():
            yield (
                f"{node.path}.path={path} is an adapter: type adapter.path={path} beside the "
                f"{node.path} that it was trained on"
            )
    elif (
        isinstance(path, str)
        and path.startswith(("/", "./", "../", "~"))
        and not Path(path).is_dir()
    ):
        yield (
            f"{node.path}.path={path} is no folder: type {node.path}.path=<folder or hub id>, or "
            "model=embedded for the model that comes with the package"
        )
    yield from attention_problems(node)


def attention_problems(node: ConfigNode) -> Iterator[str]:
    """Kinds of attention for which the machine, a library or the layout of rows is missing."""
    attention = node.options.get("attention")
    if attention not in ("flex_attention", "flash_attention_2"):
        return
    option = f"{node.path}.attention"
    if node.value("trainer.accelerator") == "cpu":
        yield f"{option}={attention} needs a GPU: type {option}=sdpa, or trainer=gpu"
    if attention == "flash_attention_2":
        if find_spec("flash_attn") is None:
            yield (
                f"{option}=flash_attention_2 needs flash-attn, which is not installed: pip "
                f"install 'groundrl[gpu]', or type {option}=sdpa"
            )
        if node.options.get("prefix_sharing", True):
            yield (
                f"{option}=flash_attention_2 takes one completion a row: type "
                f"{node.path}.prefix_sharing=false, or {option}=flex_attention"
            )


@config_hooks(problems=loading_problems)
def load_policy(
    path: str,
    frame: Frame | str,
    template: PromptTemplate,
    adapter: Adapter,
    dtype: Literal["float32", "bfloat16", "float16"] = "float32",
    min_pixels: int | None = None,
    max_pixels: int | None = None,
    prefix_sharing: bool = True,
    gradient_checkpointing: bool = False,
    vision_store: VisionStore | None = None,
    attention: Attention = "sdpa",
    family: ModelFamily | None = None,
) -> Policy:
    """Load ``path`` ("embedded", a hub id or a folder) and put ``adapter`` on it.

    ``frame``: the frame in which the model writes boxes. ``min_pixels``, ``max_pixels``: area of
    the resized image, for processors that have such limits. ``attention``: "flex_attention" needs
    a GPU; "flash_attention_2" needs a GPU and shares no prompts. ``family``: facts about a class
    of models that ``policy/families`` does not have. Raises UserError when the model cannot be
    loaded, and for ``frame=model`` where the processor does not resize images as a whole.
    """
    source = str(embedded_model_dir()) if path == "embedded" else path
    # Small updates of full weights are lost in 16 bits; adapters are always in 32 bits.
    torch_dtype = torch.float32 if adapter.kind == "none" else getattr(torch, dtype)
    try:
        processor = AutoProcessor.from_pretrained(source, trust_remote_code=False)
        vlm = AutoModelForImageTextToText.from_pretrained(
            source,
            trust_remote_code=False,
            dtype=torch_dtype,
            # FlexAttention is for rows of several completions, which have their own attention.
            attn_implementation="sdpa" if attention == "flex_attention" else attention,
            quantization_config=adapter.quantization(source, torch_dtype),
        )
    # No such model; custom code, which is never run; pickled code; truncated weights.
    except (OSError, ValueError, UnpicklingError, SafetensorError) as error:
        hint = "" if Path(source).exists() else " (no such folder, and not found on the hub)"
        raise UserError(
            f"cannot load model.path={path}{hint}: {error}. Type model=embedded for the model that "
            "comes with the package, or model.path=<folder or hub id>."
        ) from error
    limit_pixels(processor, min_pixels, max_pixels)
    if Frame(frame) is Frame.MODEL and "image_grid_thw" not in processor.model_input_names:
        raise UserError(
            f"model.frame=model means that {path} writes boxes in pixels of the resized image, "
            "but its processor tiles or distorts images: type model.frame=permille"
        )
    return Policy(
        model=adapter.apply(vlm),
        processor=processor,
        template=template,
        frame=Frame(frame),
        prefix_sharing=prefix_sharing,
        gradient_checkpointing=gradient_checkpointing,
        vision_store=vision_store,
        attention=attention,
        family=family,
    )
