"""Checkpoints are plain data: they come back exactly, run nothing and hide no damage."""

import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from groundrl.errors import UserError
from groundrl.stages.fitting.checkpoint_file import (
    DamagedCheckpointError,
    pack,
    read_checkpoint,
    unpack,
    write_checkpoint,
)
from groundrl.stages.fitting.checkpoints import Checkpoints

plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(st.text() | st.integers(), inner, max_size=3)
    ),
    max_leaves=8,
)
STATE: dict[str, Any] = {
    "global_step": 3,
    "lr": 0.1 + 0.2,
    "betas": (0.9, 0.95),
    "loss": float("inf"),
    "state": {0: {"step": torch.tensor(7.0), "exp_avg": torch.randn(3, 2)}, 1: {}},
    "half": torch.randn(5).bfloat16(),
    "mask": torch.tensor([True, False]),
    "empty": torch.zeros(0, 4),
    "turned": torch.arange(6).reshape(2, 3).T,
    "nothing": None,
}


@given(plain)
def test_plain_data_comes_back_with_its_types(value: object) -> None:
    back = unpack(pack(value, {}), {})
    assert back == value
    assert repr(back) == repr(value)


def test_a_checkpoint_comes_back_to_the_last_bit(tmp_path: Path) -> None:
    write_checkpoint(STATE, tmp_path / "last.ckpt")
    back = read_checkpoint(tmp_path / "last.ckpt")
    assert back.keys() == STATE.keys()
    assert back["state"].keys() == {0, 1}
    for name in ("half", "mask", "empty", "turned"):
        assert torch.equal(back[name], STATE[name])
        assert back[name].dtype == STATE[name].dtype
    assert torch.equal(back["state"][0]["exp_avg"], STATE["state"][0]["exp_avg"])
    for name in ("lr", "betas", "loss", "nothing"):
        assert back[name] == STATE[name]


@pytest.mark.parametrize("value", [{1, 2}, object(), b"bytes", {(1, 2): 3}])
def test_what_is_no_plain_data_is_not_saved(value: object, tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="a checkpoint cannot hold"):
        write_checkpoint({"mine": value}, tmp_path / "last.ckpt")
    assert not list(tmp_path.iterdir())


@settings(max_examples=300)
@given(data=st.data())
def test_every_flipped_bit_and_every_cut_is_found(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / "flipped.ckpt"
    small = {"global_step": 3, "weights": torch.arange(4.0)}
    write_checkpoint(small, path)
    content = bytearray(path.read_bytes())
    place = data.draw(st.integers(0, len(content) - 1))
    if data.draw(st.booleans()):
        content[place] ^= 1 << data.draw(st.integers(0, 7))
    else:
        del content[place:]
    path.write_bytes(content)
    with pytest.raises(DamagedCheckpointError, match=r"flipped\.ckpt"):
        read_checkpoint(path)


class Exploit:
    """Makes a file when it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.mark,)


@pytest.mark.parametrize("save", [torch.save, lambda x, path: path.write_bytes(pickle.dumps(x))])
def test_a_crafted_checkpoint_runs_nothing(save: Any, tmp_path: Path) -> None:
    path, mark = tmp_path / "last.ckpt", tmp_path / "executed"
    save({"state_dict": Exploit(mark)}, path)
    with pytest.raises(UserError, match=r"no checkpoint can be read: .*last\.ckpt"):
        Checkpoints(tmp_path, 0.0).find()
    assert not mark.exists()


@pytest.mark.parametrize(
    "packed", [{"tensor": "7"}, {"dict": [1]}, {"dict": [[[], 1]]}, {"tuple": 1}, {"run": "ls"}]
)
def test_what_pack_does_not_write_is_no_value(packed: object) -> None:
    with pytest.raises(ValueError, match="is no"):
        unpack(packed, {})


def test_the_newest_whole_checkpoint_is_taken(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    checkpoints = Checkpoints(tmp_path, 0.0)
    assert checkpoints.find() is None
    write_checkpoint(STATE, checkpoints.previous)
    assert checkpoints.find() == checkpoints.previous  # killed between two renames
    write_checkpoint(STATE, checkpoints.path)
    assert checkpoints.find() == checkpoints.path
    assert not caplog.messages
    checkpoints.path.write_bytes(checkpoints.path.read_bytes()[:-1])
    assert checkpoints.find() == checkpoints.previous
    (told,) = caplog.messages
    assert "last.ckpt is incomplete" in told
    assert told.endswith(f"going on from {checkpoints.previous}")
