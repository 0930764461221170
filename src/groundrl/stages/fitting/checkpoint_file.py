"""A checkpoint on disk: one safetensors file of plain data. Reading it executes nothing, also where
its origin is unknown, and finds any damage.

Tensors are stored as such. Everything else is JSON in the file's metadata, beside a SHA-256 digest
of the JSON and of all tensors.
"""

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import torch
from lightning.fabric.plugins.io.checkpoint_io import CheckpointIO
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

STATE: Final = "state"
DIGEST: Final = "sha256"


class DamagedCheckpointError(Exception):
    """The file is no checkpoint, or not the one that was written."""


class PlainCheckpointIO(CheckpointIO):
    """Lightning's checkpoints as plain data."""

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | Path, storage_options: object = None
    ) -> None:
        """Write to ``path`` itself. Raises OSError when the disk is full."""
        write_checkpoint(checkpoint, Path(path))

    def load_checkpoint(
        self, path: str | Path, map_location: object = None, weights_only: bool | None = None
    ) -> dict[str, Any]:
        """The checkpoint, on the CPU. Raises DamagedCheckpointError."""
        return read_checkpoint(Path(path))

    def remove_checkpoint(self, path: str | Path) -> None:
        """Delete the file."""
        Path(path).unlink()


def write_checkpoint(checkpoint: Mapping[str, Any], path: Path) -> None:
    """Write the file and wait until it is on the disk.

    Raises TypeError for values that are no plain data, and OSError when the disk is full.
    """
    tensors: dict[str, Tensor] = {}
    state = json.dumps(pack(checkpoint, tensors))
    metadata = {STATE: state, DIGEST: content_digest(state, tensors)}
    try:
        save_file(tensors, path, metadata)
    except SafetensorError as error:
        raise os_error(error, path) from error
    with path.open("rb") as file:
        os.fsync(file.fileno())


def read_checkpoint(path: Path) -> dict[str, Any]:
    """What ``write_checkpoint`` has written. Raises DamagedCheckpointError."""
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise DamagedCheckpointError(f"{path} is incomplete or no checkpoint ({error})") from error
    state = metadata.get(STATE, "")
    if metadata.get(DIGEST) != content_digest(state, tensors):
        raise DamagedCheckpointError(f"{path} is not as it was written (its SHA-256 differs)")
    try:
        checkpoint = unpack(json.loads(state), tensors)
    except (ValueError, RecursionError) as error:
        raise DamagedCheckpointError(f"{path} is no checkpoint ({error})") from error
    if not isinstance(checkpoint, dict):
        raise DamagedCheckpointError(f"{path} is no checkpoint")
    return checkpoint


def pack(value: object, tensors: dict[str, Tensor]) -> Any:
    """The value as JSON can hold it: ``{"tuple": [...]}``, ``{"dict": [[key, value], ...]}``, and
    ``{"tensor": name}`` for tensors, which are added to ``tensors``. Raises TypeError for a value
    that is no plain data."""
    match value:
        case None | bool() | int() | float() | str():
            return value
        case Tensor():
            name = str(len(tensors))
            tensors[name] = value.detach().cpu().contiguous()
            return {"tensor": name}
        case list():
            return [pack(item, tensors) for item in value]
        case tuple():
            return {"tuple": [pack(item, tensors) for item in value]}
        case Mapping():
            for key in value:
                if not isinstance(key, str | int):
                    raise TypeError(f"a checkpoint cannot hold the key {key!r}")
            return {"dict": [[key, pack(item, tensors)] for key, item in value.items()]}
        case _:
            raise TypeError(
                f"a checkpoint cannot hold a {type(value).__qualname__} ({value!r:.60}), only "
                "numbers, texts, tensors, and lists, tuples and dicts of these"
            )


def unpack(packed: object, tensors: Mapping[str, Tensor]) -> Any:
    """The inverse of ``pack``. Raises ValueError for what ``pack`` does not write."""
    match packed:
        case None | bool() | int() | float() | str():
            return packed
        case list():
            return [unpack(item, tensors) for item in packed]
        case {"tensor": str(name)} if name in tensors:
            return tensors[name]
        case {"tuple": list(items)}:
            return tuple(unpack(item, tensors) for item in items)
        case {"dict": list(pairs)}:
            found = {}
            for pair in pairs:
                match pair:
                    case [str() | int() as key, item]:
                        found[key] = unpack(item, tensors)
                    case _:
                        raise ValueError(f"{pair!r:.60} is no key with its value")
            return found
        case _:
            raise ValueError(f"{packed!r:.60} is no value")


def content_digest(state: str, tensors: Mapping[str, Tensor]) -> str:
    """SHA-256 of the JSON, and of the name, type, shape and bytes of every tensor."""
    digest = hashlib.sha256(state.encode())
    for name, tensor in sorted(tensors.items()):
        digest.update(f"\n{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def os_error(error: SafetensorError, path: Path) -> OSError:
    """The error of the operating system that stopped the writer, which has only its text."""
    _, found, rest = str(error).partition("(os error ")
    number = rest.partition(")")[0]
    if not found or not number.isdecimal():
        raise error
    return OSError(int(number), os.strerror(int(number)), str(path))
