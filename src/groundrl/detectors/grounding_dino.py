"""Grounding DINO (arXiv 2303.05499) and MM-Grounding-DINO (arXiv 2401.02361)."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from groundrl.detectors.base import clip_region
from groundrl.detectors.records import InputImage, Region
from groundrl.detectors.zero_shot import ZeroShotDetector
from groundrl.errors import UserError

KINDS = ("grounding-dino", "mm-grounding-dino")


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelPrompt:
    """A prompt such as "cat . traffic light .", with the token positions of its labels."""

    labels: tuple[str, ...]
    spans: tuple[tuple[int, int], ...]
    """Of each label: index of its first token, and one past its last."""

    @property
    def text(self) -> str:
        """The text that the model reads."""
        return " ".join(f"{label} ." for label in self.labels)


class GroundingDinoDetector(ZeroShotDetector):
    """Boxes whose best token of the prompt passes a threshold, with the label of that token.

    A long vocabulary is looked for in several passes, as many labels at a time as the model reads.
    """

    def __init__(
        self,
        path: str,
        vocabulary: Sequence[str] | None,
        threshold: float = 0.25,
        text_threshold: float = 0.25,
        doubt: float = 0.6,
        batch_size: int = 8,
        device: str | None = None,
    ) -> None:
        """``threshold``: of a box's best token; ``text_threshold``: of its label's best token;
        ``doubt``: see ``check_doubt``. Raises UserError for a model of another kind."""
        settings = {"threshold": threshold, "text_threshold": text_threshold}
        super().__init__(path, vocabulary, KINDS, doubt, batch_size, device, **settings)
        self.threshold = threshold
        self.text_threshold = text_threshold
        self.prompts = self._prompts(self.vocabulary)

    def _prompts(self, vocabulary: Sequence[str]) -> list[LabelPrompt]:
        tokenizer, room = self.processor.tokenizer, self.model.config.max_text_len - 2
        prompts: list[list[tuple[str, tuple[int, int]]]] = []
        end = room
        for label in vocabulary:
            count = len(tokenizer(label, add_special_tokens=False)["input_ids"])
            if count + 1 > room:
                raise UserError(
                    f"detector.vocabulary holds {label!r}, which has {count} tokens; the model "
                    f"reads {room - 1}: write it shorter"
                )
            if end + count + 1 > room:
                prompts.append([])
                end = 0
            # One token stands before the first label, and a full stop behind each.
            prompts[-1].append((label, (end + 1, end + 1 + count)))
            end += count + 1
        return [
            LabelPrompt(labels=labels, spans=spans)
            for labels, spans in (zip(*prompt, strict=True) for prompt in prompts)
        ]

    def __call__(self, images: Sequence[InputImage]) -> list[tuple[Region, ...]]:
        """The regions of each image, surest first."""
        return self._look(images, self.prompts)

    def look_for(
        self, images: Sequence[InputImage], labels: Sequence[str]
    ) -> list[tuple[Region, ...]]:
        """See ``ZeroShotDetector``."""
        return self._look(images, self._prompts(labels))

    @torch.inference_mode()
    def _look(
        self, images: Sequence[InputImage], prompts: Sequence[LabelPrompt]
    ) -> list[tuple[Region, ...]]:
        def look(batch: Sequence[InputImage], shown: list) -> list[tuple[Region, ...]]:
            passes = [self._detect(batch, shown, prompt) for prompt in prompts]
            found = [[one for own in passes for one in own[i]] for i in range(len(batch))]
            return [tuple(sorted(one, key=lambda region: -region.score)) for one in found]

        return self.in_batches(images, look)

    def _detect(
        self, images: Sequence[InputImage], shown: list, prompt: LabelPrompt
    ) -> list[list[Region]]:
        inputs = self.processor(
            images=shown, text=[prompt.text] * len(shown), return_tensors="pt"
        ).to(self.device)
        output = self.model(**inputs)
        boxes = self.processor.post_process_grounded_object_detection(
            output,
            inputs["input_ids"],
            threshold=self.doubt * self.threshold,
            text_threshold=self.text_threshold,
            target_sizes=[(p.source.height, p.source.width) for p in images],
        )
        results = []
        for image, detected, logits in zip(images, boxes, output.logits, strict=True):
            probabilities = logits.sigmoid()
            passing = probabilities[probabilities.max(-1).values > self.doubt * self.threshold]
            by_label, which = label_probabilities(passing, prompt).max(-1)
            rows = zip(detected["boxes"], detected["scores"], by_label, which, strict=True)
            regions = [
                clip_region(
                    prompt.labels[int(label)],
                    box.tolist(),
                    float(score),
                    image.source,
                    sure=bool(score > self.threshold and probability > self.text_threshold),
                )
                for box, score, probability, label in rows
                if probability > self.doubt * self.text_threshold
            ]
            results.append([one for one in regions if one is not None])
        return results


def label_probabilities(
    tokens: Float[Tensor, "boxes T"], prompt: LabelPrompt
) -> Float[Tensor, "boxes labels"]:
    """The probability of each label: that of its best token.

    Processors return the phrase of all tokens above a threshold instead: it may be half a label, or
    two labels in one.
    """
    return torch.stack([tokens[:, first:end].amax(-1) for first, end in prompt.spans], dim=-1)
