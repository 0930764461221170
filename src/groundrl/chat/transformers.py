"""A local image-text model with stock ``transformers``: batches, greedy decoding, no schema."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import torch

from groundrl.cache_key import cache_key, folder_digest
from groundrl.chat.base import OPTION, Reply, Request
from groundrl.chat.local_models import local_model_problems
from groundrl.config_node import ConfigNode
from groundrl.control_tokens import JOINER, break_tokens, control_tokens, token_starts
from groundrl.errors import UserError
from groundrl.running.micro_batcher import MicroBatcher


class TransformersModel:
    """Loads at the first request, onto a GPU where there is one.

    Requests of several threads are batched. The schema of a request is not enforced: its text
    describes the reply, and readers of replies accept any text.
    """

    def __init__(
        self,
        model: str,
        batch_size: int = 8,
        max_tokens: int = 512,
        dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto",
    ) -> None:
        """``model``: hub id or folder. ``batch_size``: requests per forward pass."""
        self.model = model
        self.max_tokens = max_tokens
        self.dtype = dtype
        self._files = folder_digest(model)
        self._batcher = MicroBatcher(self._answer, batch_size)
        self._loaded: tuple[Any, Any] | None = None

    @classmethod
    def config_problems(cls, node: ConfigNode) -> Iterator[str]:
        """The model's folder is missing."""
        return local_model_problems(node)

    @property
    def name(self) -> str:
        """The model, its files, its dtype, and the length of its replies."""
        return cache_key(
            self.model, files=self._files, dtype=self.dtype, max_tokens=self.max_tokens
        )

    def __call__(self, requests: Sequence[Request]) -> list[Reply | None]:
        """See ``ChatModel``. Raises UserError when the model cannot be loaded."""
        # Processors take batches in which all requests have the same number of images.
        order = sorted(range(len(requests)), key=lambda i: len(requests[i].images))
        replies = self._batcher([requests[i] for i in order])
        by_request = dict(zip(order, replies, strict=True))
        return [by_request[i] for i in range(len(requests))]

    def _answer(self, requests: Sequence[Request]) -> list[Reply]:
        groups: dict[int, list[int]] = {}
        for row, request in enumerate(requests):
            groups.setdefault(len(request.images), []).append(row)
        replies: dict[int, Reply] = {}
        for rows in groups.values():
            replies |= zip(rows, self._batch([requests[row] for row in rows]), strict=True)
        return [replies[row] for row in range(len(requests))]

    @torch.inference_mode()
    def _batch(self, requests: Sequence[Request]) -> list[Reply]:
        model, processor = self._load()
        starts = token_starts(control_tokens(processor))
        turns = [
            [
                {
                    "role": "user",
                    "content": [{"type": "image"} for _ in one.images]
                    + [{"type": "text", "text": break_tokens(one.text, starts, JOINER)}],
                }
            ]
            for one in requests
        ]
        inputs = processor(
            text=processor.apply_chat_template(turns, add_generation_prompt=True, tokenize=False),
            images=[[shown.image for shown in one.images] for one in requests]
            if requests[0].images
            else None,
            padding=True,
            return_tensors="pt",
        ).to(model.device, model.dtype)
        sequences = model.generate(**inputs, max_new_tokens=self.max_tokens, do_sample=False)
        answers = sequences[:, inputs["input_ids"].shape[1] :]
        texts = processor.batch_decode(answers, skip_special_tokens=True)
        used = inputs["attention_mask"].sum(dim=1).tolist()
        padding = processor.tokenizer.pad_token_id
        lengths = (answers != padding).sum(dim=1).tolist()
        return [
            Reply(text=text, prompt_tokens=prompt, completion_tokens=length)
            for text, prompt, length in zip(texts, used, lengths, strict=True)
        ]

    def _load(self) -> tuple[Any, Any]:
        if self._loaded is None:
            from transformers import AutoModelForImageTextToText, AutoProcessor

            try:
                processor = AutoProcessor.from_pretrained(self.model)
                model = AutoModelForImageTextToText.from_pretrained(self.model, dtype=self.dtype)
            except (OSError, ValueError) as error:  # missing, or of another class
                missing = "" if Path(self.model).exists() else " (no such folder or hub id)"
                raise UserError(
                    f"cannot load {self.model}{missing}: {error}. Type "
                    f"{OPTION}model=<folder or hub id> of a model that sees images"
                ) from error
            processor.tokenizer.padding_side = "left"
            # Greedy decoding would warn about sampling options of the checkpoint.
            for option in ("temperature", "top_p", "top_k"):
                setattr(model.generation_config, option, None)
            device: Any = "cuda" if torch.cuda.is_available() else "cpu"
            self._loaded = model.to(device).eval(), processor
        return self._loaded
