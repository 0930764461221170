"""A prompt in the form in which the model's own ``forward`` and ``generate`` take it."""

from collections.abc import Sequence

import torch
from torch import Tensor

from groundrl.policy.policy import Policy
from groundrl.policy.prompt import Prompt


def own_inputs(policy: Policy, prompt: Prompt, answer: Sequence[int] = ()) -> dict[str, Tensor]:
    """From the messages and images, by the processor alone."""
    text = policy.processor.apply_chat_template(
        prompt.messages, tokenize=False, add_generation_prompt=True
    )
    inputs = policy.processor(
        text=[text],
        images=[[image.source.load() for image in prompt.images]],
        return_tensors="pt",
        add_special_tokens=False,
    )
    ids = torch.cat([inputs["input_ids"], torch.tensor([answer], dtype=torch.long)], dim=1)
    shown = dict(inputs) | {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    image = (ids == policy.spec.image_token).long()
    types = {"mm_token_type_ids", "token_type_ids"} & set(inputs)
    return shown | dict.fromkeys(types, image)
