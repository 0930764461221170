"""Image features: each image is computed once, and a store keeps the features for other runs."""

import json
import time
from collections.abc import Sequence
from functools import cached_property
from types import SimpleNamespace

import torch
from jaxtyping import Float
from torch import Tensor
from transformers import PreTrainedModel

from groundrl.policy.family import ModelSpec, tower_parameters
from groundrl.policy.fingerprint import fingerprint
from groundrl.policy.prompt import Prompt, PromptImage
from groundrl.policy.vision_store import VisionFeatures, VisionStore
from groundrl.running.full_memory import MemoryLimit

NOT_TOWER_CONFIG = ("text_config", "quantization_config", "transformers_version", "_name_or_path")
"""Entries of a model's config that its tower does not depend on."""


class VisionTower:
    """Computes image features with the model's vision tower, or reads them from the store."""

    def __init__(self, vlm: PreTrainedModel, spec: ModelSpec, store: VisionStore | None) -> None:
        self.vlm = vlm
        self.spec = spec
        self.learns = any(p.requires_grad for p in tower_parameters(vlm, spec.language_model))
        """Its features then depend on the training step."""
        self.in_one_tensor = spec.family is not None and spec.family.features_in_one_tensor
        # A class without family takes features in the form in which it returns them, and stored
        # features have lost that form.
        self.store = None if spec.family is None or self.learns else store
        self.memory_limit = MemoryLimit("images in the vision tower")
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
            batch = [images[i] for i in indices]
            # Several passes would keep as much for the gradient: updates have smaller ones.
            whole = torch.is_grad_enabled()
            parts = self._pass(batch) if whole else self.memory_limit.map(self._pass, batch)
            found |= zip(indices, parts, strict=True)
        return [found[i] for i in range(len(images))]

    def _pass(self, images: Sequence[PromptImage]) -> list[VisionFeatures]:
        """One forward pass over images with pixels of one shape."""
        batch = {
            name: torch.cat([image.pixels[name] for image in images]).to(self.vlm.device)
            for name in images[0].pixels
        }
        output = self.vlm.model.get_image_features(**batch)
        if self.spec.family is None:
            self.in_one_tensor = isinstance(output.pooler_output, Tensor)
        sizes = [image.tokens for image in images]
        layers = (output.pooler_output, *(getattr(output, "deepstack_features", None) or ()))
        parts = zip(*(flatten_features(layer).split(sizes) for layer in layers), strict=True)
        return [
            VisionFeatures(tokens=tokens, deepstack=tuple(deepstack))
            for tokens, *deepstack in parts
        ]

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
