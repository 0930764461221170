"""Weights of somebody else are read without executing anything."""

import json
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import pytest
import torch

from groundrl.errors import UserError
from groundrl.policy.adapters.adapter import Adapter
from groundrl.policy.embedded import embedded_model_dir
from groundrl.policy.load import load_policy
from groundrl.policy.policy import Policy
from groundrl.prompts import PromptTemplate

pytestmark = pytest.mark.slow


class Exploit:
    """Makes a file when it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.mark,)


@pytest.fixture
def mark(tmp_path: Path) -> Path:
    return tmp_path / "executed"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the embedded model."""
    shutil.copytree(embedded_model_dir(), tmp_path / "model")
    return tmp_path / "model"


def load(folder: Path) -> Policy:
    return load_policy(str(folder), "permille", PromptTemplate(), Adapter(kind="frozen"))


def test_pickled_weights_of_a_model_run_nothing(folder: Path, mark: Path) -> None:
    (folder / "model.safetensors").unlink()
    torch.save({"weight": Exploit(mark)}, folder / "pytorch_model.bin")
    with pytest.raises(UserError, match="cannot load model"):
        load(folder)
    assert not mark.exists()


@pytest.mark.parametrize("name", ["config.json", "processor_config.json"])
def test_code_beside_a_model_is_not_run(folder: Path, mark: Path, name: str) -> None:
    (folder / "trap.py").write_text(f"open({str(mark)!r}, 'w')\nclass Trap: pass\n")
    path = folder / name
    config = json.loads(path.read_text()) if path.exists() else {}
    kinds = ("AutoConfig", "AutoModelForImageTextToText", "AutoProcessor")
    config |= {"model_type": "trap", "auto_map": dict.fromkeys(kinds, "trap.Trap")}
    path.write_text(json.dumps(config))
    with suppress(UserError):  # a processor is loaded without its code
        load(folder)
    assert not mark.exists()


def test_truncated_weights_are_an_error(folder: Path) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(UserError, match="cannot load model"):
        load(folder)


def test_a_pickled_adapter_runs_nothing(
    make_policy: Callable[..., Policy], tmp_path: Path, mark: Path
) -> None:
    adapter = tmp_path / "adapter"
    policy = make_policy()
    policy.save(adapter)
    (adapter / "adapter_model.safetensors").unlink()
    torch.save({"weight": Exploit(mark)}, adapter / "adapter_model.bin")
    with pytest.raises(UnpicklingError):
        policy.load(adapter)
    with pytest.raises(UserError, match="cannot be read"):
        Adapter(kind="frozen", path=str(adapter)).apply(make_policy(adapter=None).vlm)
    assert not mark.exists()


@pytest.mark.parametrize("left", [0, 3, 100, -1])
def test_a_truncated_adapter_is_an_error(
    make_policy: Callable[..., Policy], tmp_path: Path, left: int
) -> None:
    policy = make_policy()
    policy.save(tmp_path)
    file = tmp_path / "adapter_model.safetensors"
    file.write_bytes(file.read_bytes()[:left])
    with pytest.raises(UserError, match=r"weights in .* are damaged .*: restore them"):
        policy.load(tmp_path)
    with pytest.raises(UserError, match=r"adapter.path=.* cannot be read: .*Get it again"):
        Adapter(kind="frozen", path=str(tmp_path)).apply(make_policy(adapter=None).vlm)
    file.rename(file.with_name("adapter_model.bin"))
    with pytest.raises(UserError, match=r"adapter.path=.* cannot be read: .*Get it again"):
        Adapter(kind="frozen", path=str(tmp_path)).apply(make_policy(adapter=None).vlm)
