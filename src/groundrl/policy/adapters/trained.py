"""Puts a trained adapter on a model, also one that another library or an older one wrote."""

import logging
import re
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from pickle import UnpicklingError

from peft import (
    LoraConfig,
    PeftConfig,
    PeftModel,
    PromptTuningConfig,
    get_peft_model,
    get_peft_model_state_dict,
    set_peft_model_state_dict,
)
from peft.tuners.tuners_utils import check_target_module_exists
from peft.utils import CONFIG_NAME, SAFETENSORS_WEIGHTS_NAME, WEIGHTS_NAME, load_peft_weights
from safetensors import SafetensorError
from torch import Tensor
from transformers import PreTrainedModel

from groundrl.errors import UserError, os_error
from groundrl.policy.adapters.soft_prompt import load_soft_prompt
from groundrl.policy.family import is_tower, language_model_name

logger = logging.getLogger(__name__)

ROOT = "base_model.model."
"""Starts every weight's name in PEFT's files."""
OLD_LANGUAGE_MODELS = (
    *("language_model.model.", "model.language_model.model."),
    *("language_model.", "model.text_model.", "text_model.", "model."),
)
"""Where language models stood in older versions of ``transformers`` (before 4.52: ``model.layers``
in Qwen-VL, ``language_model.model.layers`` in LLaVA, Gemma 3 and InternVL)."""
_PARAMETER = re.compile(r"\.(?:lora_\w+|modules_to_save|weight|bias)(?:\.|$)")
_ADAPTER_NAME = re.compile(r"(\.lora_\w+)\.default(?=\.|$)")
PICKLED = (UnpicklingError, EOFError, RuntimeError)
"""What torch raises about a .bin file that is no plain file of tensors."""
SHOWN = 3
"""Names in a message."""


def load_adapter(vlm: PreTrainedModel, folder: str, learns: bool = False) -> PeftModel:
    """``vlm`` with the trained adapter of ``folder``; frozen, unless it ``learns`` on.

    Weights that are named by another layout of the model's class are renamed. Raises UserError
    where there is no adapter, and where its weights and the model do not fit each other.
    """
    config, weights = read_adapter(folder)
    where = f"adapter.path={folder} was trained for {config.base_model_name_or_path}"
    config.inference_mode = not learns
    if isinstance(config, LoraConfig) and learns:
        config.lora_dropout = 0.0  # or log-probabilities of rollout and update would differ
    config.base_model_name_or_path = None  # PEFT fills it in, and warns of another folder
    if isinstance(config, PromptTuningConfig):
        return load_soft_prompt(vlm, config, weights, where)
    modules = {name for name, _ in vlm.named_modules() if name}
    language_model = language_model_name(vlm)
    renamed = {rename(key, modules, language_model): tensor for key, tensor in weights.items()}
    found = {_module(key) for key in renamed}
    homeless = (key for key in renamed if _PARAMETER.search(key) and _module(key) not in modules)
    _check(where, "have no place in the model", homeless)
    if isinstance(config, LoraConfig) and not config.target_parameters:
        in_tower = any(is_tower(name, language_model) for name in found)
        declared = {
            name
            for name in modules
            if check_target_module_exists(config, name)
            and (in_tower or not is_tower(name, language_model))
        }
        _check(where, "are declared by its config, and are not there", declared - found)
        # Names of another layout, or names that layers of the tower have as well.
        names = {_module(key) for key in renamed if ".lora_" in key}
        config.target_modules = "|".join(re.escape(name) for name in sorted(names))
        config.layers_to_transform = config.layers_pattern = config.exclude_modules = None
    model = get_peft_model(vlm, config)
    own: Mapping[str, Tensor] = get_peft_model_state_dict(model, save_embedding_layers=False)
    _check(where, "are not in its file", own.keys() - renamed.keys())
    _check(where, "have no place in the model", renamed.keys() - own.keys())
    other = {key for key, tensor in own.items() if tensor.shape != renamed[key].shape}
    _check(where, "have another shape in the model", other)
    set_peft_model_state_dict(model, renamed)
    _report(f"adapter.path={folder}", renamed, len(renamed.keys() - weights.keys()))
    return model


def save_weights(model: PreTrainedModel | PeftModel, folder: Path) -> None:
    """Write the adapter in PEFT format, or the whole model. Raises OSError when the disk is
    full."""
    try:
        if isinstance(model, PeftModel):
            model.save_pretrained(
                str(folder),
                selected_adapters=["default"],
                save_embedding_layers=False,  # none is trained, and "auto" asks the hub each time
            )
        else:
            model.save_pretrained(str(folder))
    except SafetensorError as error:
        if (stopped_by := os_error(error, folder)) is None:
            raise
        raise stopped_by from error
    # PEFT's card: a form to fill in, with the path of the base on this machine.
    if isinstance(model, PeftModel):
        (folder / "README.md").unlink()
    for file in folder.glob("*.safetensors"):
        file.chmod(0o644)  # safetensors keeps other users out, and a server may be one


def load_saved(model: PreTrainedModel | PeftModel, folder: Path) -> None:
    """Load weights that ``save_weights`` wrote of this very model. Raises UserError where they are
    damaged."""
    try:
        if isinstance(model, PeftModel):
            set_peft_model_state_dict(model, load_peft_weights(str(folder), device="cpu"))
        else:
            saved = type(model).from_pretrained(str(folder), dtype=model.dtype)
            model.load_state_dict(saved.state_dict())
    except SafetensorError as error:
        raise UserError(
            f"the weights in {folder} are damaged ({error}): restore them, or train again in "
            "another output_dir="
        ) from error


def missing_adapter(folder: str) -> str | None:
    """What to tell where the files of an adapter are not there; None where they are."""
    files = {path.name for path in Path(folder).iterdir()} if Path(folder).is_dir() else set()
    if CONFIG_NAME in files and files & {SAFETENSORS_WEIGHTS_NAME, WEIGHTS_NAME}:
        return None
    return (
        f"adapter.path={folder} is no adapter in PEFT format: it needs {CONFIG_NAME} and "
        f"{SAFETENSORS_WEIGHTS_NAME}. Type adapter.path=<run directory>/adapter."
    )


def read_adapter(folder: str) -> tuple[PeftConfig, dict[str, Tensor]]:
    """Config and weights of an adapter in PEFT format. Raises UserError where there is none, or a
    damaged one."""
    if (missing := missing_adapter(folder)) is not None:
        raise UserError(missing)
    try:
        return PeftConfig.from_pretrained(folder), load_peft_weights(folder, device="cpu")
    except (SafetensorError, TypeError, ValueError) as error:
        raise UserError(f"adapter.path={folder} cannot be read: {error}. Get it again") from error
    except PICKLED as error:  # torch's advice is to execute what the file holds
        what = f"{WEIGHTS_NAME} is cut short, or holds more than weights"
        raise UserError(f"adapter.path={folder} cannot be read: {what}. Get it again") from error


def rename(key: str, modules: Collection[str], language_model: str) -> str:
    """The name of a weight in the layout of the model whose ``modules`` are given; a weight without
    a place keeps its name."""
    plain = _ADAPTER_NAME.sub(r"\1", key.removeprefix("module.").removeprefix(ROOT))
    module = _module(plain)
    rest = plain[len(module) :]
    moved = [
        f"{language_model}.{module.removeprefix(old)}"
        for old in OLD_LANGUAGE_MODELS
        if module.startswith(old)
    ]
    candidates = [module, *moved, f"model.{module}", module.removeprefix("model.")]
    return ROOT + next((one for one in candidates if one in modules), module) + rest


def _module(key: str) -> str:
    """The module that a weight belongs to."""
    plain = key.removeprefix(ROOT)
    found = _PARAMETER.search(plain)
    return plain[: found.start()] if found else plain


def _check(where: str, what: str, keys: Iterable[str]) -> None:
    names = sorted(keys)
    if names:
        shown = ", ".join(names[:SHOWN]) + ", ..." * (len(names) > SHOWN)
        raise UserError(
            f"{where}, and does not fit this model: {len(names)} of its weights {what}: {shown}. "
            "Type the model.path that it was trained for."
        )


def _report(where: str, weights: Mapping[str, Tensor], moved: int) -> None:
    if moved:
        logger.info("%s: %d weights were named by another layout of the model", where, moved)
    factors = [tensor for key, tensor in weights.items() if "_B" in key]
    if factors and not any(tensor.any() for tensor in factors):
        logger.warning(
            "%s changes nothing: its factors B are all 0, as before any training. The figures will "
            "be those of the base model",
            where,
        )
