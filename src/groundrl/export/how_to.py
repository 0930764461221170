"""The part of a model card that shows how the model is called."""

import json
from collections.abc import Iterator
from typing import Final, Literal

from groundrl.ask.question import open_template
from groundrl.export.description import ModelDescription
from groundrl.export.licence import is_hub_id
from groundrl.policy.embedded import EMBEDDED

QUESTION: Final = "Where is the red cup?"
FRAMES: Final = {
    "pixel": "pixels of the picture",
    "model": "pixels of the picture as the processor resizes it (its `image_grid_thw` times the "
    "size of a patch)",
    "unit": "shares of the width and height, 0 to 1",
    "permille": "thousandths of the width and height",
}
_LOAD_MERGED: Final = """\
from PIL import Image
from transformers import AutoModelForImageTextToText, AutoProcessor

processor = AutoProcessor.from_pretrained("{folder}")
model = AutoModelForImageTextToText.from_pretrained("{folder}", dtype="auto")
"""
_LOAD_ADAPTER: Final = """\
from peft import PeftModel
from PIL import Image
from transformers import AutoModelForImageTextToText, AutoProcessor
{find_base}
processor = AutoProcessor.from_pretrained(base{limits})
model = AutoModelForImageTextToText.from_pretrained(base, dtype="{dtype}")
model = PeftModel.from_pretrained(model, "{folder}")
"""
_ASK: Final = """\

question = {question!r}
image = Image.open("photo.jpg").convert("RGB")
content = [{{"type": "image", "image": image}}, {{"type": "text", "text": question}}]
inputs = processor.apply_chat_template(
    [{{"role": "user", "content": content}}],
    add_generation_prompt=True,
    tokenize=True,
    return_dict=True,
    return_tensors="pt",
)
output = model.generate(**inputs, max_new_tokens={max_tokens}, do_sample=False)
print(processor.decode(output[0, inputs["input_ids"].shape[1] :], skip_special_tokens=True))
"""
FOLDER: Final = "this-folder"
"""Stands for where the reader has put the model."""


def how_to_use(
    description: ModelDescription,
    form: Literal["adapter", "soft_prompt", "merged"],
    rank: int | None,
    tower_adapted: bool,
) -> Iterator[str]:
    """With this package, with transformers, and behind a vLLM server. ``rank``: of the adapter;
    ``tower_adapted``: it is on the vision tower too."""
    instruction = open_template(description.template, description.notation.grammar).instruction
    asked = "\n".join(part for part in (QUESTION, instruction) if part)
    yield "## Use\n"
    yield f"Boxes are x1, y1, x2, y2 in {FRAMES[description.frame]}.\n"
    if instruction:
        yield "An instruction follows each question, as in training.\n"
    yield "With groundrl, boxes in pixels of the picture:\n"
    yield f'```sh\npython -m groundrl.ask run={FOLDER} image=photo.jpg "{QUESTION}"\n```\n'
    if form == "soft_prompt":
        yield (
            "The vectors are in the format of PEFT (prompt tuning). Its own forward pass numbers "
            "all tokens in a row, also those of pictures: for models whose positions have rows and "
            "columns (Qwen-VL) it computes something else. vLLM serves no soft prompts.\n"
        )
        return
    yield "With transformers:\n"
    load = _LOAD_MERGED if form == "merged" else _LOAD_ADAPTER
    loaded = load.format(
        folder=FOLDER,
        find_base=_find_base(description.base),
        limits=_limits(description),
        dtype=description.dtype,
    )
    code = loaded + _ASK.format(question=asked, max_tokens=description.max_tokens)
    yield f"```python\n{code}```\n"
    yield "Behind a vLLM server:\n"
    if form == "adapter" and tower_adapted:
        yield (
            "vLLM serves adapters of the language model only, and this one is on the vision tower "
            "too: serve the whole model (`python -m groundrl.export form=merged`).\n"
        )
        return
    if form == "merged":
        command = f"vllm serve {FOLDER} --served-model-name grounded"
    else:
        place = description.base if is_hub_id(description.base) else "<folder of the base>"
        command = (
            f"vllm serve {place} --enable-lora --max-lora-rank {rank or '<rank>'} "
            f"--lora-modules grounded={FOLDER}{_served_limits(description)}"
        )
    yield f"```sh\n{command}\n```\n"
    yield (
        "`groundrl.ask.served.ServedModel` asks such a server, and converts the boxes to pixels of "
        "the picture.\n"
    )


def _find_base(base: str) -> str:
    if base == EMBEDDED:
        return (
            "from groundrl.policy.embedded import embedded_model_dir\n\n"
            "base = str(embedded_model_dir())"
        )
    return f"\nbase = {base if is_hub_id(base) else '<folder of the base>'!r}"


def _limits(description: ModelDescription) -> str:
    return "".join(f", {name}={value}" for name, value in _pixel_limits(description).items())


def _served_limits(description: ModelDescription) -> str:
    """Without them a server resizes images as the base does, not as the adapter learned."""
    limits = _pixel_limits(description)
    return f" \\\n    --mm-processor-kwargs '{json.dumps(limits)}'" if limits else ""


def _pixel_limits(description: ModelDescription) -> dict[str, int]:
    limits = {"min_pixels": description.min_pixels, "max_pixels": description.max_pixels}
    return {name: value for name, value in limits.items() if value is not None}
