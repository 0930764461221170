"""Image features: each image is computed once, and a store keeps the features for other runs."""

import errno
import hashlib
import json
import os
import time
import warnings
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import SimpleNamespace
from uuid import uuid4

import torch
from jaxtyping import Float
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor
from transformers import PreTrainedModel

from groundrl.errors import is_disk_full
from groundrl.policy.family import ModelSpec, tower_parameters
from groundrl.policy.fingerprint import fingerprint
from groundrl.policy.prompt import Prompt, PromptImage

WRITES_PER_CLEANUP = 100
"""Files written between two checks of the folder's size."""
ABANDONED_SECONDS = 3600.0
"""Age after which a partial file is left over from a process that died."""
SHARE_AFTER_CLEANUP = 0.9
"""Files are removed until the folder holds this share of ``max_gb``."""
PERMISSION_ERRORS = (errno.EACCES, errno.EPERM, errno.EROFS)
"""Errors of writing into another user's folder or to a read-only disk."""
NOT_TOWER_CONFIG = ("text_config", "quantization_config", "transformers_version", "_name_or_path")
"""Entries of a model's config that its tower does not depend on."""


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
            path.parent.mkdir(parents=True, exist_ok=True)
            # Not mkstemp: its file mode would exclude other users.
            partial = path.with_suffix(f".{uuid4().hex}.partial")
            try:
                partial.write_bytes(content)
                partial.replace(path)
            except OSError:
                try_remove(partial)
                raise
        except OSError as error:
            if not (is_disk_full(error) or error.errno in PERMISSION_ERRORS):
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
            if path.suffix != ".partial":
                files.append((stat, path))
            elif time.time() - stat.st_mtime > ABANDONED_SECONDS:
                try_remove(path)
        size = sum(stat.st_size for stat, _ in files)
        if size <= self.max_bytes:
            return
        for stat, path in sorted(files, key=lambda file: file[0].st_mtime):
            if try_remove(path):
                size -= stat.st_size
            if size <= SHARE_AFTER_CLEANUP * self.max_bytes:
                return


def try_remove(path: Path) -> bool:
    """Remove the file; False where this user may not."""
    try:
        path.unlink(missing_ok=True)
    except PermissionError:
        return False
    return True


def vision_store(cache_dir: str | None, max_gb: float = 20.0) -> VisionStore | None:
    """The store in ``cache_dir``; None for no cache directory."""
    return None if cache_dir is None else VisionStore(Path(cache_dir) / "vision", max_gb)


class VisionTower:
    """Computes image features with the model's vision tower, or reads them from the store."""

    def __init__(self, vlm: PreTrainedModel, spec: ModelSpec, store: VisionStore | None) -> None:
        self.vlm = vlm
        self.spec = spec
        self.in_one_tensor = spec.family is not None and spec.family.features_in_one_tensor
        # A class without family takes features in the form in which it returns them, and stored
        # features have lost that form.
        self.store = None if spec.family is None else store
        self.seconds = 0.0
        """Time spent in calls so far, reading and writing the store included."""

    def __call__(self, prompts: list[Prompt]) -> list[VisionFeatures]:
        """Features of the images of each prompt, from the store where it has them.

        An image that several prompts share is computed once.
        """
        start = time.perf_counter()
        images = {image_key(image): image for prompt in prompts for image in prompt.images}
        by_image = dict(zip(images, self._features(list(images.values())), strict=True))
        features = [
            concatenate_features([by_image[image_key(image)] for image in prompt.images])
            for prompt in prompts
        ]
        if features:
            features[-1].tokens[-1, -1].item()  # wait for a GPU, so that the time is right
        self.seconds += time.perf_counter() - start
        return features

    def _features(self, images: list[PromptImage]) -> list[VisionFeatures]:
        if self.store is None:
            return self.compute(images)
        device = self.vlm.device
        autocast = torch.is_autocast_enabled(device.type)
        precision = torch.get_autocast_dtype(device.type) if autocast else None
        paths = [self.store.path(image, f"{self._identity} {precision}") for image in images]
        found = {path: self.store.read(path, device) for path in paths}
        new = {path: x for path, x in zip(paths, images, strict=True) if found[path] is None}
        if new:
            for path, features in zip(new, self.compute(list(new.values())), strict=True):
                self.store.write(path, features)
                found[path] = features
        return [features for path in paths if (features := found[path]) is not None]

    @cached_property
    def _identity(self) -> str:
        """The tower's weights, and the config without the language model's: with other windows,
        layers or scales, equal weights give other features."""
        config = self.vlm.config.to_dict()
        config = {key: value for key, value in config.items() if key not in NOT_TOWER_CONFIG}
        text = json.dumps(config, sort_keys=True, default=str)
        return f"{fingerprint(tower_parameters(self.vlm, self.spec.language_model))} {text}"

    def compute(self, images: list[PromptImage]) -> list[VisionFeatures]:
        """Features of each image; images whose pixels can be stacked share a forward pass."""
        batches: dict[object, list[int]] = {}
        for i, image in enumerate(images):
            shapes = tuple((name, x.shape[1:]) for name, x in sorted(image.pixels.items()))
            batches.setdefault(shapes, []).append(i)
        found: dict[int, VisionFeatures] = {}
        for indices in batches.values():
            batch = {
                name: torch.cat([images[i].pixels[name] for i in indices]).to(self.vlm.device)
                for name in images[indices[0]].pixels
            }
            output = self.vlm.model.get_image_features(**batch)
            if self.spec.family is None:
                self.in_one_tensor = isinstance(output.pooler_output, Tensor)
            sizes = [images[i].tokens for i in indices]
            layers = (output.pooler_output, *(getattr(output, "deepstack_features", None) or ()))
            parts = zip(*(flatten_features(layer).split(sizes) for layer in layers), strict=True)
            for i, (tokens, *deepstack) in zip(indices, parts, strict=True):
                found[i] = VisionFeatures(tokens=tokens, deepstack=tuple(deepstack))
        return [found[i] for i in range(len(images))]

    def outputs(self, features: list[VisionFeatures]) -> dict[str, SimpleNamespace]:
        """Features in the form in which the model takes them (``mm_encoder_outputs``)."""
        tokens = [feature.tokens for feature in features]
        image = SimpleNamespace(
            # [tokens, 1, width]: some classes take [images, tokens, width] and flatten it.
            pooler_output=torch.cat(tokens)[:, None] if self.in_one_tensor else tokens,
            deepstack_features=list(zip(*(f.deepstack for f in features), strict=True)),
        )
        return {"image": image}


def image_key(image: PromptImage) -> tuple[str, int]:
    """Identifies the features of an image. Some processors resize an image differently when it is
    the only one of a prompt, which changes its number of tokens."""
    return image.source.key, image.tokens


def concatenate_features(images: Sequence[VisionFeatures]) -> VisionFeatures:
    """Features of several images, concatenated along their tokens."""
    if len(images) == 1:
        return images[0]
    return VisionFeatures(
        tokens=torch.cat([image.tokens for image in images]),
        deepstack=tuple(map(torch.cat, zip(*(image.deepstack for image in images), strict=True))),
    )


def flatten_features(features: Tensor | Sequence[Tensor]) -> Float[Tensor, "tokens width"]:
    """Features of several images, however the model's class groups them, as one tensor."""
    parts = features if isinstance(features, Tensor) else torch.cat([*features])
    return parts.flatten(0, -2)
