"""A prompt in the form in which the model's own ``forward`` and ``generate`` take it."""

from collections.abc import Sequence

import torch
from torch import Tensor

from groundrl.policy.policy import Policy
from groundrl.policy.prompt import Prompt


def own_inputs(policy: Policy, prompt: Prompt, answer: Sequence[int] = ()) -> dict[str, Tensor]:
    ids = torch.cat([prompt.prefix.tokens, torch.tensor(answer, dtype=torch.long)])[None]
    inputs = {"input_ids": ids, "attention_mask": torch.ones_like(ids), **prompt.images}
    image = (ids == policy.spec.image_token).long()
    if len(prompt.prefix.positions) > 1:
        return inputs | {"mm_token_type_ids": image}
    return inputs | ({"token_type_ids": image} if policy.spec.images_see_themselves else {})
