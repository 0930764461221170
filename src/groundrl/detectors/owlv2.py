"""OWLv2 (arXiv 2306.09683)."""

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from groundrl.detectors.base import clip_region
from groundrl.detectors.records import InputImage, Region
from groundrl.detectors.zero_shot import ZeroShotDetector
from groundrl.errors import UserError

LABELS_AT_ONCE = 256


class Owlv2Detector(ZeroShotDetector):
    """The box of each image patch with its best label, if the label's score passes a threshold.

    Scores of labels do not depend on each other, so the labels are encoded once for all images.
    """

    def __init__(
        self,
        path: str,
        vocabulary: Sequence[str] | None,
        threshold: float = 0.25,
        prompt: str = "a photo of a {label}",
        doubt: float = 0.6,
        batch_size: int = 8,
        device: str | None = None,
    ) -> None:
        """``prompt``: around each label; ``doubt``: see ``check_doubt``. Raises UserError for a
        model of another kind."""
        settings = {"threshold": threshold, "prompt": prompt}
        super().__init__(path, vocabulary, ("owlv2",), doubt, batch_size, device, **settings)
        self.threshold = threshold
        self.prompt = prompt
        self.queries = self._queries(self.vocabulary)

    @torch.inference_mode()
    def _queries(self, labels: Sequence[str]) -> Float[Tensor, "labels width"]:
        """The text tower's features of each label's prompt."""
        texts = [self.prompt.format(label=label) for label in labels]
        longest = self.model.config.text_config.max_position_embeddings
        parts = []
        for start in range(0, len(texts), LABELS_AT_ONCE):
            inputs = self.processor(text=texts[start : start + LABELS_AT_ONCE], return_tensors="pt")
            lengths = inputs["attention_mask"].sum(-1)
            if inputs["input_ids"].shape[-1] > longest:
                text = texts[start + int(lengths.argmax())]
                raise UserError(
                    f"detector.vocabulary gives the prompt {text!r} of {int(lengths.max())} "
                    f"tokens; the model reads {longest}: write the label shorter"
                )
            parts.append(self.model.owlv2.get_text_features(**inputs.to(self.device)).pooler_output)
        return torch.cat(parts) if parts else torch.empty(0, self.model.config.projection_dim)

    def __call__(self, images: Sequence[InputImage]) -> list[tuple[Region, ...]]:
        """The regions of each image, surest first."""
        return self._look(images, self.vocabulary, self.queries)

    def look_for(
        self, images: Sequence[InputImage], labels: Sequence[str]
    ) -> list[tuple[Region, ...]]:
        """See ``ZeroShotDetector``."""
        return self._look(images, labels, self._queries(labels))

    @torch.inference_mode()
    def _look(
        self,
        images: Sequence[InputImage],
        labels: Sequence[str],
        queries: Float[Tensor, "labels width"],
    ) -> list[tuple[Region, ...]]:
        def look(batch: Sequence[InputImage], shown: list) -> list[tuple[Region, ...]]:
            pixels = self.processor(images=shown, return_tensors="pt")["pixel_values"]
            results = self.processor.post_process_grounded_object_detection(
                self._output(pixels.to(self.device), queries),
                threshold=self.doubt * self.threshold,
                target_sizes=[(p.source.height, p.source.width) for p in batch],
                text_labels=[list(labels)] * len(batch),
            )
            return [self._regions(*one) for one in zip(batch, results, strict=True)]

        return self.in_batches(images, look)

    def _output(
        self, pixels: Float[Tensor, "B 3 H W"], queries: Float[Tensor, "labels width"]
    ) -> SimpleNamespace:
        """The forward pass of the model's class, with the labels encoded before."""
        features, _ = self.model.image_embedder(pixels)
        patches = features.flatten(1, 2)
        logits, _ = self.model.class_predictor(patches, queries.expand(len(pixels), -1, -1))
        return SimpleNamespace(
            logits=logits, pred_boxes=self.model.box_predictor(patches, features)
        )

    def _regions(self, image: InputImage, result: dict[str, Any]) -> tuple[Region, ...]:
        rows = zip(result["text_labels"], result["boxes"], result["scores"], strict=True)
        found = [
            clip_region(
                label, box.tolist(), float(score), image.source, sure=bool(score > self.threshold)
            )
            for label, box, score in rows
        ]
        kept = [one for one in found if one is not None]
        return tuple(sorted(kept, key=lambda region: -region.score))
