"""Prompt tuning with the loss of "Visual Reasoning", study 5, whose answers were all wrong under
strict reading: four mistakes, kept to measure what they do.

1. No shift: the output at a token is compared with that token, not with the next one. What is
   learned is to repeat what was read.
2. As many real tokens as there are virtual ones are left out at the start, in the belief that the
   virtual ones are among them; PEFT puts those before the tokens that it is given.
3. The prompt is learned like the answer, the tokens of the image included.
4. The softmax runs over positions in place of words: a loss of 0 says *where* in the row a word is
   the most probable, never *which* word is the most probable at a position.
"""

from collections.abc import Iterator

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F

from groundrl.config_node import ConfigNode
from groundrl.policy.policy import Features
from groundrl.policy.prompt import Prompt
from groundrl.policy.shared_prefix.layout import Branch
from groundrl.stages.sft import SFTModule


class PublishedPromptTuning(SFTModule):
    """SFT of a soft prompt with the published loss. It needs the logits of whole rows at once:
    where memory is full, lower ``tokens_per_forward``."""

    @classmethod
    def config_problems(cls, node: ConfigNode) -> Iterator[str]:
        """The loss counts the tokens of a soft prompt."""
        if node.value("adapter.kind") != "soft_prompt":
            yield "ablation=published_prompt_tuning is about soft prompts: type adapter=soft_prompt"

    def counted_tokens(self, prompt: Prompt, target: Branch) -> int:
        """The whole row, with as many tokens left out as there are virtual ones."""
        virtual = len(self.policy.encode.virtual_tokens)
        return max(len(prompt.prefix.tokens) - virtual + len(target.tokens) - virtual, 0)

    def summed_loss(
        self, prompts: list[Prompt], targets: list[list[Branch]], features: Features
    ) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
        """See ``SFTModule`` and ``published_losses``."""
        hidden, layout = self.policy.hidden_states(prompts, targets, features)
        virtual = len(self.policy.encode.virtual_tokens)
        loss = entropy = torch.zeros((), device=hidden.device)
        for states, ids, owner in zip(hidden, layout.input_ids, layout.owner, strict=True):
            length = int((owner != -2).sum())
            logits = self.policy.vlm.lm_head(states[virtual:length]).float()
            tokens = ids[virtual:length].to(logits.device)
            loss = loss + published_losses(logits, tokens, virtual).sum()
            table = logits.detach()[virtual:].log_softmax(-1)
            entropy = entropy - (table.exp() * table).sum()
        return loss, entropy


def published_losses(
    logits: Float[Tensor, "L V"], tokens: Int[Tensor, "L"], virtual: int
) -> Float[Tensor, "counted"]:
    """``-log softmax_t(logits[t, tokens[s]])`` at t = s, for each s from ``virtual`` on.

    ``logits``: the outputs at the real tokens of a row, prompt and answer; see the module for what
    is wrong.
    """
    over_time = logits[:, tokens]  # one column for each token of the row: its score at each place
    places = torch.arange(len(tokens), device=logits.device)
    return F.cross_entropy(over_time[None], places[None], reduction="none")[0, virtual:]
