"""A store of image features on disk, shared by runs, processes and users."""

import hashlib
import os
import time
import warnings
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from groundrl.config_node import config_hooks
from groundrl.errors import UNWRITABLE, is_disk_full
from groundrl.files import PARTIAL, remove_if_allowed, replace_file
from groundrl.policy.prompt import PromptImage

WRITES_PER_CLEANUP = 100
"""Files written between two checks of the folder's size."""
ABANDONED_SECONDS = 3600.0
"""Age after which a partial file is left over from a process that died."""
SHARE_AFTER_CLEANUP = 0.9
"""Files are removed until the folder holds this share of ``max_gb``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VisionFeatures:
    """Output of the vision tower for one image, or for the images of a prompt, concatenated."""

    tokens: Float[Tensor, "tokens width"]
    """Embeddings that replace those of the image tokens of the prompt."""
    deepstack: tuple[Float[Tensor, "tokens width"], ...]
    """Features added after the first language layers (Qwen3-VL); empty for other families."""


class VisionStore:
    """A folder with one file per image, named by a hash of the pixels and of the tower.

    Several processes and users may share the folder: files appear and disappear as a whole. Beyond
    ``max_gb``, least recently used files are removed.
    """

    def __init__(self, folder: Path | str, max_gb: float = 20.0) -> None:
        self.folder = Path(folder)
        self.max_bytes = max_gb * 1e9
        self._writes = 0

    def path(self, image: PromptImage, tower: str) -> Path:
        """The file of the image; ``tower`` identifies the tower's weights, config and precision."""
        digest = hashlib.blake2b(tower.encode(), digest_size=16)
        for name, tensor in sorted(image.pixels.items()):
            digest.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}".encode())
            digest.update(tensor.contiguous().flatten().view(torch.uint8).numpy().data)
        name = digest.hexdigest()
        return self.folder / name[:2] / f"{name}.safetensors"

    def read(self, path: Path, device: torch.device) -> VisionFeatures | None:
        """Stored features on ``device``; None where there is no file that this user may read."""
        try:
            tensors = load(path.read_bytes())
        except (FileNotFoundError, PermissionError):
            return None
        except SafetensorError:  # a file cut off by a power failure
            return None
        # Removed by another process since, or owned by another user.
        with suppress(FileNotFoundError, PermissionError):
            os.utime(path)
        tokens, *deepstack = (tensors[str(i)].to(device) for i in range(len(tensors)))
        return VisionFeatures(tokens=tokens, deepstack=tuple(deepstack))

    def write(self, path: Path, features: VisionFeatures) -> None:
        """Store features. A full disk, or a folder without write permission, gives a warning."""
        tensors = (features.tokens, *features.deepstack)
        content = save({str(i): tensor.cpu().contiguous() for i, tensor in enumerate(tensors)})
        try:
            with replace_file(path) as partial:
                partial.write_bytes(content)
        except OSError as error:
            if not (is_disk_full(error) or error.errno in UNWRITABLE):
                raise
            warnings.warn(
                f"vision features are not stored in {self.folder}: {error.strerror}", stacklevel=2
            )
        if self._writes % WRITES_PER_CLEANUP == 0:
            self._make_room()
        self._writes += 1

    def _make_room(self) -> None:
        files = []
        for path in self.folder.glob("*/*"):
            try:
                stat = path.stat()
            except (FileNotFoundError, PermissionError):  # removed by another process; not ours
                continue
            if path.suffix != PARTIAL:
                files.append((stat, path))
            elif time.time() - stat.st_mtime > ABANDONED_SECONDS:
                remove_if_allowed(path)
        size = sum(stat.st_size for stat, _ in files)
        if size <= self.max_bytes:
            return
        for stat, path in sorted(files, key=lambda file: file[0].st_mtime):
            if remove_if_allowed(path):
                size -= stat.st_size
            if size <= SHARE_AFTER_CLEANUP * self.max_bytes:
                return


@config_hooks(resource_options=frozenset({"cache_dir"}))
def open_vision_store(cache_dir: str | None, max_gb: float = 20.0) -> VisionStore | None:
    """The store in ``cache_dir``; None for no cache directory."""
    return None if cache_dir is None else VisionStore(Path(cache_dir) / "vision", max_gb)
