"""A reward model on disk.

A folder with ``adapter/`` in PEFT format (without an adapter: the whole model), the head in
``head.safetensors`` and ``reward_model.json``, see ``RewardModelFile``. The weights of the base are
not copied::

    from groundrl.feedback.load import load_reward_model

    model = load_reward_model("run/reward_model")
    scores = model.score("photo.jpg", "What is in the image?", "A red cup. It is on a box.")
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, Literal, cast

from safetensors import SafetensorError
from safetensors.torch import load_file, save

from groundrl.boxes import Frame
from groundrl.cache_key import digest
from groundrl.errors import UserError
from groundrl.feedback.captions import OUTPUTS, Level, caption_sample
from groundrl.feedback.reward_model import TEMPLATE, RewardModel
from groundrl.files import replace_file, write_json
from groundrl.json_rows import Number, Text, Whole, validate
from groundrl.policy.adapters.adapter import Adapter
from groundrl.policy.embedded import base_name
from groundrl.policy.family import ModelFamily
from groundrl.policy.load import load_policy
from groundrl.policy.policy import Policy
from groundrl.policy.processor import pixel_limits
from groundrl.records import NamedImage

ADAPTER: Final = "adapter"
HEAD: Final = "head.safetensors"
DESCRIPTION: Final = "reward_model.json"

Dtype = Literal["float32", "bfloat16", "float16"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RewardModelFile:
    """``reward_model.json``."""

    base: Text
    """The model below the adapter: "embedded", a hub id or a folder."""
    base_weights: Whole | None
    """Their fingerprint; None where ``adapter/`` holds the whole model."""
    dtype: Dtype
    min_pixels: Whole | None
    max_pixels: Whole | None
    prompt: Text
    """Digest of the tokens of a question in its prompt."""
    level: Level
    thresholds: dict[Text, Number]
    """Error of OUTPUTS -> the probability from which it counts as there."""


def save_reward_model(model: RewardModel, folder: Path) -> None:
    """Write the folder; ``reward_model.json`` comes last, so that a folder with it is complete."""
    policy = model.policy
    folder.mkdir(parents=True, exist_ok=True)
    policy.save(folder / ADAPTER)
    head = {name: x.detach().cpu().contiguous() for name, x in model.head.state_dict().items()}
    with replace_file(folder / HEAD) as partial:
        partial.write_bytes(save(head))
    limits = pixel_limits(policy.processor)
    description = RewardModelFile(
        base=base_name(policy.vlm.name_or_path or ""),
        base_weights=policy.fixed_weights()["base"] if has_adapter(folder) else None,
        dtype=cast(Dtype, str(policy.vlm.dtype).removeprefix("torch.")),
        min_pixels=limits.get("min_pixels"),
        max_pixels=limits.get("max_pixels"),
        prompt=prompt_digest(policy),
        level=model.level,
        thresholds=dict(zip(OUTPUTS, model.thresholds.tolist(), strict=True)),
    )
    write_json(folder / DESCRIPTION, asdict(description))


def load_reward_model(
    folder: str | Path, *, base: str | None = None, family: ModelFamily | None = None
) -> RewardModel:
    """The reward model of ``folder``, which is ``reward_model`` in the run directory, on the CPU.

    ``base``: where the base is now, if not where it was; ``family``: as in ``load_policy``. Raises
    UserError for a folder without a reward model, and where the base or its prompt is another one
    than in training.
    """
    folder = Path(folder).expanduser()
    file = read_description(folder)
    adapted = has_adapter(folder)
    path = base or file.base if adapted else str(folder / ADAPTER)
    policy = load_policy(
        path=path,
        frame=Frame.PERMILLE,  # of no concern: no box is written
        template=TEMPLATE,
        adapter=Adapter(kind="frozen", path=str(folder / ADAPTER) if adapted else None),
        dtype=file.dtype,
        min_pixels=file.min_pixels,
        max_pixels=file.max_pixels,
        family=family,
    )
    changed = []
    if file.base_weights not in (None, policy.fixed_weights()["base"]):
        changed.append("weights")
    if file.prompt != prompt_digest(policy):
        changed.append("prompt (chat template or tokenizer)")
    if changed:
        raise UserError(
            f"{folder} was trained on another base than {path}: its {' and its '.join(changed)} "
            "changed. Pass base=<folder or hub id> of the model it was trained on, or train a new "
            "one with pipeline=[reward_model]."
        )
    model = RewardModel(policy, list(file.thresholds.values()), file.level)
    try:
        model.head.load_state_dict(load_file(folder / HEAD))
    except SafetensorError as error:
        raise UserError(
            f"{folder / HEAD} is damaged ({error}): restore it, or train the model again"
        ) from error
    return model.requires_grad_(False).eval()


def read_description(folder: Path) -> RewardModelFile:
    """``reward_model.json`` of a folder. Raises UserError where it is missing or damaged."""
    path = folder / DESCRIPTION
    if not path.is_file():
        raise UserError(
            f"{folder} is no reward model: it has no {DESCRIPTION}. Give the folder reward_model "
            "in the run directory of pipeline=[reward_model]."
        )
    try:
        file = validate(RewardModelFile, json.loads(path.read_text(encoding="utf-8")))
    except ValueError as error:  # of JSON, UTF-8 or a field
        raise UserError(f"{path}: {error}. Train the model again, or restore the file.") from error
    if tuple(file.thresholds) != OUTPUTS:
        raise UserError(
            f"{path} has the outputs {', '.join(file.thresholds)}, and this version knows "
            f"{', '.join(OUTPUTS)}: train the model again"
        )
    return file


def has_adapter(folder: Path) -> bool:
    """Whether ``adapter/`` of a reward model is an adapter, not a whole model."""
    return (folder / ADAPTER / "adapter_config.json").is_file()


def prompt_digest(policy: Policy) -> str:
    """16 hex digits that change when the tokens of a question in its prompt do."""
    messages = TEMPLATE.messages(caption_sample(NamedImage(key=""), "What is in the image?"))
    text = policy.processor.apply_chat_template(
        messages, tokenize=False, add_generation_prompt=True
    )
    return digest(repr(policy.encode.text_tokens(text)))
