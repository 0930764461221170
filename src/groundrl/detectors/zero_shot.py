"""The base of open-vocabulary detectors from ``transformers``."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import torch
from transformers import AutoModelForZeroShotObjectDetection, AutoProcessor

from groundrl.cache_key import cache_key
from groundrl.config_node import ConfigNode
from groundrl.detectors.base import check_doubt, check_vocabulary
from groundrl.detectors.records import InputImage, Region
from groundrl.errors import UserError
from groundrl.policy.fingerprint import fingerprint
from groundrl.running.full_memory import MemoryLimit, explain_full_memory

R = TypeVar("R")


class ZeroShotDetector:
    """A model that looks for the labels of a vocabulary."""

    @classmethod
    def config_problems(cls, node: ConfigNode) -> Iterator[str]:
        """Only what asks for single labels can do without a vocabulary."""
        if node.path == "detector" and node.options.get("vocabulary", ()) is None:
            yield (
                "detector.vocabulary=null: name what to look for, detector.vocabulary=[person,dog]"
            )

    def __init__(
        self,
        path: str,
        vocabulary: Sequence[str] | None,
        kinds: tuple[str, ...],
        doubt: float,
        batch_size: int,
        device: str | None,
        **settings: object,
    ) -> None:
        """``path``: a hub id or a folder with a model of one of ``kinds``. ``vocabulary``: None
        where the detector is only asked to ``find`` single labels. ``device``: None takes a
        GPU where there is one. ``settings``: what else regions depend on. Raises UserError."""
        self.vocabulary = () if vocabulary is None else check_vocabulary(vocabulary)
        self.doubt = check_doubt(doubt)
        self.batch_size = batch_size
        """Images of equal size in one pass; fewer where memory is full."""
        self.memory_limit = MemoryLimit("images", batch_size, "detector.batch_size")
        self.model, self.processor = load(path, kinds)
        self.device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        self.model.eval().requires_grad_(False).to(self.device)
        self.name = cache_key(
            self.model.config.model_type,
            model=Path(path).name,
            weights=f"{fingerprint(self.model.state_dict().values()):016x}",
            config=self.model.config.to_json_string(),
            processor=self.processor.image_processor.to_json_string(),
            vocabulary=self.vocabulary,
            doubt=doubt,
            **settings,
        )
        """Cache key of weights, sizes, thresholds, vocabulary and prompt."""

    def look_for(
        self, images: Sequence[InputImage], labels: Sequence[str]
    ) -> list[tuple[Region, ...]]:
        """The regions of these labels in each image, surest first."""
        raise NotImplementedError

    def find(self, images: Sequence[InputImage], labels: Sequence[str]) -> list[tuple[Region, ...]]:
        """See ``OpenVocabulary``."""
        found: list[tuple[Region, ...]] = [()] * len(images)
        for label in dict.fromkeys(labels):
            own = [i for i, other in enumerate(labels) if other == label]
            regions = self.look_for([images[i] for i in own], [label])
            for i, one in zip(own, regions, strict=True):
                found[i] = one
        return found

    def in_batches(
        self,
        images: Sequence[InputImage],
        look: Callable[[Sequence[InputImage], list[Any]], list[R]],
    ) -> list[R]:
        """What ``look`` finds in each image; it gets batches of equal size, with their pixels.

        Images are not padded: padding changes the features of the pixels beside it, so an image's
        regions would depend on the other images of its batch.
        """
        by_size: dict[tuple[int, int], list[int]] = defaultdict(list)
        for index, image in enumerate(images):
            by_size[image.source.width, image.source.height].append(index)

        def load_and_look(batch: Sequence[InputImage]) -> list[R]:
            return look(batch, [image.source.load() for image in batch])

        found: dict[int, R] = {}
        ways = ("detector.device=cpu", "detector.path=<a smaller model>")
        with explain_full_memory({}, ways if self.device.type != "cpu" else ways[1:]):
            for indices in by_size.values():
                results = self.memory_limit.map(load_and_look, [images[index] for index in indices])
                found |= zip(indices, results, strict=True)
        return [found[index] for index in range(len(images))]


def load(path: str, kinds: tuple[str, ...]) -> tuple[Any, Any]:
    """Model and processor. Raises UserError for a model of another kind."""
    try:
        processor = AutoProcessor.from_pretrained(path)
        model = AutoModelForZeroShotObjectDetection.from_pretrained(path)
    except (OSError, ValueError) as error:
        hint = "" if Path(path).exists() else " (no such folder, and the hub did not deliver it)"
        raise UserError(
            f"cannot load detector.path={path}{hint}: {error}. Type detector.path=<folder or hub "
            f"id> of a model of the kind {' or '.join(kinds)}."
        ) from error
    if model.config.model_type not in kinds:
        raise UserError(
            f"detector.path={path} is a {model.config.model_type}, not a {' or '.join(kinds)}: "
            "choose another detector= or another path"
        )
    return model, processor
