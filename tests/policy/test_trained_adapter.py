"""Trained adapters on disk: those of other libraries are renamed or refused, never ignored."""

import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from families import FAMILIES, build
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file, save_file

from groundrl.errors import UserError
from groundrl.policy.adapters.adapter import Adapter
from groundrl.policy.adapters.trained import load_adapter

TARGETS = ["q_proj", "v_proj", "up_proj"]
FILE = "adapter_model.safetensors"


def trained(folder: Path, family: str = "qwen3_vl") -> dict[str, torch.Tensor]:
    """An adapter of ours with random weights, as ``Policy.save`` writes it."""
    vlm, _ = build(family)
    model = Adapter(rank=2, targets=tuple(TARGETS)).apply(vlm)
    assert isinstance(model, PeftModel)
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            parameter.data.normal_()
    model.save_pretrained(str(folder))
    return load_file(folder / FILE)


def rewritten(folder: Path, change: Callable[[str], str], targets: object = TARGETS) -> Path:
    """The same adapter, its weights named in another way and its targets as others write them."""
    weights = {change(key): tensor for key, tensor in load_file(folder / FILE).items()}
    save_file(weights, folder / FILE)
    config = json.loads((folder / "adapter_config.json").read_text())
    config["target_modules"] = targets
    (folder / "adapter_config.json").write_text(json.dumps(config))
    return folder


def lora_weights(model: PeftModel) -> dict[str, torch.Tensor]:
    found = model.named_parameters()
    return {name.replace(".default", ""): x.detach() for name, x in found if "lora_" in name}


def moved(old: str, new: str) -> Callable[[str], str]:
    return lambda key: key.replace(new, old)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("old", ["model.layers", "language_model.model.layers"])
def test_names_of_older_layouts_are_renamed(
    family: str, old: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    expected = trained(tmp_path, family)
    place = "text_model" if family in ("idefics3", "smolvlm") else "language_model"
    rewritten(tmp_path, moved(f"base_model.model.{old}", f"base_model.model.model.{place}.layers"))
    with caplog.at_level(logging.INFO):
        model = load_adapter(build(family)[0], str(tmp_path))
    found = lora_weights(model)
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[key], expected[key]) for key in found)
    assert not any(parameter.requires_grad for parameter in model.parameters())
    assert f"{len(expected)} weights were named by another layout" in caplog.text


def test_an_adapter_of_ours_is_loaded_as_it_is(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    expected = trained(tmp_path)
    with caplog.at_level(logging.INFO):
        found = lora_weights(load_adapter(build("qwen3_vl")[0], str(tmp_path)))
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[key], expected[key]) for key in found)
    assert caplog.text == ""


def test_targets_that_are_written_by_an_older_layout_are_found(tmp_path: Path) -> None:
    expected = trained(tmp_path)
    old = moved("base_model.model.model.layers", "base_model.model.model.language_model.layers")
    rewritten(tmp_path, old, r"^model\.layers\.\d+\.(?:mlp|self_attn)\.(?:q|v|up)_proj$")
    assert lora_weights(load_adapter(build("qwen3_vl")[0], str(tmp_path))).keys() == expected.keys()


def test_layers_of_the_tower_with_the_same_names_get_no_adapter(tmp_path: Path) -> None:
    expected = trained(tmp_path, "gemma3")  # its tower has q_proj, too
    rewritten(tmp_path, str)
    assert lora_weights(load_adapter(build("gemma3")[0], str(tmp_path))).keys() == expected.keys()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda key: key.replace("layers.0", "layers.7"), "6 of its weights have no place in the"),
        (lambda key: key.replace("mlp", "feed"), r"4 of its weights have no place .*feed.up_proj"),
        (lambda key: key.replace(".lora_B", ".lora_C"), "weights are not in its file: .*lora_B"),
    ],
)
def test_weights_without_a_place_are_an_error(
    tmp_path: Path, change: Callable[[str], str], message: str
) -> None:
    trained(tmp_path)
    rewritten(tmp_path, change)
    with pytest.raises(UserError, match=message):
        load_adapter(build("qwen3_vl")[0], str(tmp_path))


def test_weights_that_are_missing_are_an_error(tmp_path: Path) -> None:
    weights = trained(tmp_path)
    save_file({k: x for k, x in weights.items() if "layers.1" not in k}, tmp_path / FILE)
    rewritten(tmp_path, str)
    with pytest.raises(UserError, match="3 of its weights are declared by its config, and are not"):
        load_adapter(build("qwen3_vl")[0], str(tmp_path))


def test_weights_of_another_size_are_an_error(tmp_path: Path) -> None:
    weights = trained(tmp_path)
    save_file({k: x[..., :1].contiguous() for k, x in weights.items()}, tmp_path / FILE)
    with pytest.raises(UserError, match="12 of its weights have another shape in the model"):
        load_adapter(build("qwen3_vl")[0], str(tmp_path))


def test_an_adapter_that_changes_nothing_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    vlm, _ = build("qwen3_vl")
    get_peft_model(vlm, LoraConfig(r=2, target_modules=TARGETS)).save_pretrained(str(tmp_path))
    load_adapter(build("qwen3_vl")[0], str(tmp_path))
    assert "changes nothing: its factors B are all 0" in caplog.text


def test_a_folder_without_an_adapter_is_an_error(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "none"):
        with pytest.raises(UserError, match=r"no adapter in PEFT format.*Type adapter\.path="):
            load_adapter(build("qwen3_vl")[0], str(folder))
    trained(tmp_path)
    (tmp_path / FILE).write_bytes(b"torn")
    with pytest.raises(UserError, match="cannot be read"):
        load_adapter(build("qwen3_vl")[0], str(tmp_path))


def begun(folder: Path, **options: Any) -> PeftModel:
    """A model that begins with the adapter of ``folder``."""
    chosen: Any = {"path": str(folder), "rank": 2, **options}
    model = Adapter(**chosen).apply(build("qwen3_vl")[0])
    assert isinstance(model, PeftModel)
    return model


def test_a_training_begins_with_a_trained_adapter(tmp_path: Path) -> None:
    expected = trained(tmp_path)
    config = json.loads((tmp_path / "adapter_config.json").read_text())
    (tmp_path / "adapter_config.json").write_text(json.dumps({**config, "lora_dropout": 0.1}))
    model = begun(tmp_path)
    found = lora_weights(model)
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[key], expected[key]) for key in found)
    learning = {name for name, one in model.named_parameters() if one.requires_grad}
    assert learning == {name for name, _ in model.named_parameters() if "lora_" in name}
    assert not any(isinstance(one, torch.nn.Dropout) and one.p for one in model.modules())


@pytest.mark.parametrize(
    ("options", "typed"),
    [
        ({"rank": 16}, r"type adapter\.rank=2 adapter\.alpha=32"),
        ({"alpha": 4}, r"type adapter\.rank=2 adapter\.alpha=32"),
        ({"vision": "lora"}, r"has no weights of the tower: type adapter\.vision=frozen"),
    ],
)
def test_an_adapter_of_other_options_is_refused(
    tmp_path: Path, options: dict[str, Any], typed: str
) -> None:
    trained(tmp_path)
    with pytest.raises(UserError, match=typed):
        begun(tmp_path, **options)


def test_an_adapter_of_the_tower_wants_a_tower_that_learns(tmp_path: Path) -> None:
    model = Adapter(rank=2, vision="lora").apply(build("qwen3_vl")[0])
    assert isinstance(model, PeftModel)
    model.save_pretrained(str(tmp_path))
    with pytest.raises(UserError, match=r"has weights of the tower: type adapter\.vision=lora"):
        begun(tmp_path)
    assert begun(tmp_path, vision="lora").peft_config["default"].peft_type == "LORA"
