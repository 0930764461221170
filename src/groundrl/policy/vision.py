"""Image features: the tower looks at an image once, and a store remembers it for other runs."""

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

import torch
from jaxtyping import Float
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor
from transformers import PreTrainedModel

from groundrl.config_node import config_hooks
from groundrl.errors import is_disk_full
from groundrl.files import PARTIAL, remove_if_allowed, replace_file
from groundrl.policy.family import ModelSpec, tower_parameters
from groundrl.policy.fingerprint import fingerprint
from groundrl.policy.prompt import Prompt, PromptImage

SCAN_EVERY = 100
"""Files written between two looks at the folder's size."""
ABANDONED = 3600.0
"""Seconds after which nobody is writing a file any more."""
KEPT_SHARE = 0.9
"""Of ``max_gb``, when room has to be made."""
FORBIDDEN = (errno.EACCES, errno.EPERM, errno.EROFS)
"""What writing into somebody else's folder, or a disk that is read only, ends in."""
NO_TOWER = ("text_config", "quantization_config", "transformers_version", "_name_or_path")
"""Entries of a model's config that its tower does not depend on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VisionFeatures:
    """What the vision tower says about one image, or about those of a prompt in a row."""

    tokens: Float[Tensor, "tokens width"]
    """Embeddings that stand in for the image tokens of the prompt."""
    deepstack: tuple[Float[Tensor, "tokens width"], ...]
    """Features added after the first language layers (Qwen3-VL); empty elsewhere."""


class VisionStore:
    """One file per image, named by the pixels that the tower reads and by what it computes.

    Several processes and users may share the folder: files appear and disappear as a whole. Beyond
    ``max_gb`` those that were not read for the longest time go first.
    """

    def __init__(self, folder: Path | str, max_gb: float = 20.0) -> None:
        self.folder = Path(folder)
        self.max_bytes = max_gb * 1e9
        self._writes = 0

    def path(self, image: PromptImage, tower: str) -> Path:
        """The file of the image; ``tower`` names weights, config and precision."""
        digest = hashlib.blake2b(tower.encode(), digest_size=16)
        for name, tensor in sorted(image.pixels.items()):
            digest.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}".encode())
            digest.update(tensor.contiguous().flatten().view(torch.uint8).numpy().data)
        name = digest.hexdigest()
        return self.folder / name[:2] / f"{name}.safetensors"

    def read(self, path: Path, device: torch.device) -> VisionFeatures | None:
        """Features, or None where nobody has written any that this user may read."""
        try:
            tensors = load(path.read_bytes())
        except (FileNotFoundError, PermissionError):
            return None
        except SafetensorError:  # cut off with the power
            return None
        with suppress(FileNotFoundError, PermissionError):  # gone in between, or somebody else's
            os.utime(path)
        tokens, *deepstack = (tensors[str(i)].to(device) for i in range(len(tensors)))
        return VisionFeatures(tokens=tokens, deepstack=tuple(deepstack))

    def write(self, path: Path, features: VisionFeatures) -> None:
        """Keep features for others; a full disk, or one that this user may not write to, costs a
        warning, not the run."""
        tensors = (features.tokens, *features.deepstack)
        content = save({str(i): tensor.cpu().contiguous() for i, tensor in enumerate(tensors)})
        try:
            with replace_file(path) as partial:
                partial.write_bytes(content)
        except OSError as error:
            if not (is_disk_full(error) or error.errno in FORBIDDEN):
                raise
            warnings.warn(
                f"vision features are not kept in {self.folder}: {error.strerror}", stacklevel=2
            )
        if self._writes % SCAN_EVERY == 0:
            self._make_room()
        self._writes += 1

    def _make_room(self) -> None:
        files = []
        for path in self.folder.glob("*/*"):
            try:
                stat = path.stat()
            except (FileNotFoundError, PermissionError):  # another process made room; not ours
                continue
            if path.suffix != PARTIAL:
                files.append((stat, path))
            elif time.time() - stat.st_mtime > ABANDONED:
                remove_if_allowed(path)
        size = sum(stat.st_size for stat, _ in files)
        if size <= self.max_bytes:
            return
        for stat, path in sorted(files, key=lambda file: file[0].st_mtime):
            if remove_if_allowed(path):
                size -= stat.st_size
            if size <= KEPT_SHARE * self.max_bytes:
                return


@config_hooks(resource_options=frozenset({"cache_dir"}))
def vision_store(cache_dir: str | None, max_gb: float = 20.0) -> VisionStore | None:
    """The store of ``cache_dir``; None where nothing is to be kept."""
    return None if cache_dir is None else VisionStore(Path(cache_dir) / "vision", max_gb)


class VisionTower:
    """The part of a model that turns pixels into image tokens."""

    def __init__(self, vlm: PreTrainedModel, spec: ModelSpec, store: VisionStore | None) -> None:
        self.vlm = vlm
        self.spec = spec
        self.in_one_tensor = spec.features_in_one_tensor
        # What is read from a store does not tell in which form it was given.
        self.store = None if self.in_one_tensor is None else store
        self.seconds = 0.0
        """Spent so far on calls, reading and writing the store included."""

    def __call__(self, prompts: list[Prompt]) -> list[VisionFeatures]:
        """Features of the images of each prompt, from the store if they are there.

        An image that several prompts show is looked at once.
        """
        start = time.perf_counter()
        shown = {image_key(image): image for prompt in prompts for image in prompt.images}
        features = dict(zip(shown, self._features(list(shown.values())), strict=True))
        found = [
            concat_features([features[image_key(image)] for image in p.images]) for p in prompts
        ]
        if found:
            found[-1].tokens[-1, -1].item()  # a GPU would still be computing
        self.seconds += time.perf_counter() - start
        return found

    def _features(self, images: list[PromptImage]) -> list[VisionFeatures]:
        if self.store is None:
            return self._look_at(images)
        device = self.vlm.device
        autocast = torch.is_autocast_enabled(device.type)
        precision = torch.get_autocast_dtype(device.type) if autocast else None
        paths = [self.store.path(image, f"{self._name} {precision}") for image in images]
        found = {path: self.store.read(path, device) for path in paths}
        new = {path: x for path, x in zip(paths, images, strict=True) if found[path] is None}
        if new:
            for path, features in zip(new, self._look_at(list(new.values())), strict=True):
                self.store.write(path, features)
                found[path] = features
        return [features for path in paths if (features := found[path]) is not None]

    @cached_property
    def _name(self) -> str:
        """Weights, and all of the config but the language model's: equal weights compute other
        features with other windows, layers or scales."""
        config = self.vlm.config.to_dict()
        own = {key: value for key, value in config.items() if key not in NO_TOWER}
        text = json.dumps(own, sort_keys=True, default=str)
        return f"{fingerprint(tower_parameters(self.vlm, self.spec))} {text}"

    def _look_at(self, images: list[PromptImage]) -> list[VisionFeatures]:
        """Images that can be stacked share a pass."""
        alike: dict[object, list[int]] = {}
        for i, image in enumerate(images):
            shapes = tuple((name, x.shape[1:]) for name, x in sorted(image.pixels.items()))
            alike.setdefault(shapes, []).append(i)
        found: dict[int, VisionFeatures] = {}
        for chosen in alike.values():
            batch = {
                name: torch.cat([images[i].pixels[name] for i in chosen]).to(self.vlm.device)
                for name in images[chosen[0]].pixels
            }
            output = self.vlm.model.get_image_features(**batch)
            if self.spec.features_in_one_tensor is None:
                self.in_one_tensor = isinstance(output.pooler_output, Tensor)
            sizes = [images[i].tokens for i in chosen]
            layers = (output.pooler_output, *(getattr(output, "deepstack_features", None) or ()))
            parts = zip(*(collate_features(layer).split(sizes) for layer in layers), strict=True)
            for i, (tokens, *deepstack) in zip(chosen, parts, strict=True):
                found[i] = VisionFeatures(tokens=tokens, deepstack=tuple(deepstack))
        return [found[i] for i in range(len(images))]

    def outputs(self, features: list[VisionFeatures]) -> dict[str, SimpleNamespace]:
        """Features in the form in which the model takes them back (``mm_encoder_outputs``)."""
        tokens = [feature.tokens for feature in features]
        image = SimpleNamespace(
            # As blocks of one token each: some classes count [blocks, tokens, width].
            pooler_output=torch.cat(tokens)[:, None] if self.in_one_tensor else tokens,
            deepstack_features=list(zip(*(f.deepstack for f in features), strict=True)),
        )
        return {"image": image}


def image_key(image: PromptImage) -> tuple[str, int]:
    """Some processors treat an image differently where it is alone; its tokens tell."""
    return image.source.key, image.tokens


def concat_features(images: Sequence[VisionFeatures]) -> VisionFeatures:
    """Features of several images, one after the other."""
    if len(images) == 1:
        return images[0]
    return VisionFeatures(
        tokens=torch.cat([image.tokens for image in images]),
        deepstack=tuple(map(torch.cat, zip(*(image.deepstack for image in images), strict=True))),
    )


def collate_features(features: Tensor | Sequence[Tensor]) -> Float[Tensor, "tokens width"]:
    """Features of several images, however the model's class groups them."""
    parts = features if isinstance(features, Tensor) else torch.cat([*features])
    return parts.flatten(0, -2)
