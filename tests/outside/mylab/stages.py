"""A stage with a metric of its own."""

from collections.abc import Mapping
from typing import ClassVar

import torch

from groundrl.policy.policy import Policy
from groundrl.policy.prompt import Example
from groundrl.policy.shared_prefix.layout import Branch
from groundrl.stages.base import Stage


class RepeatAfterMe(Stage):
    """Teaches the policy to answer every question with one sentence."""

    metrics: ClassVar[Mapping[str, str]] = {
        **Stage.metrics,
        "repeat/surprise": "Mean -log p of a token of the sentence, nats.",
        "repeat/<word>": "Not used.",
    }
    shown: ClassVar[Mapping[str, str]] = {"repeat/surprise": "surprise {:.2f}"}

    def __init__(self, policy: Policy, sentence: str = "yes", lr: float = 1e-2) -> None:
        """``sentence``: the answer to every question."""
        super().__init__(policy)
        self.automatic_optimization = False
        self.sentence = sentence
        self.lr = lr

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Plain SGD."""
        return torch.optim.SGD([p for p in self.parameters() if p.requires_grad], self.lr)

    def training_step(self, examples: list[Example], batch_index: int) -> None:
        """One optimizer step."""
        prompts = [prompt for _, prompt in examples]
        answer = [Branch(tokens=self.policy.encode.answer_tokens(self.sentence))]
        scored = self.policy.logprobs(prompts, [answer] * len(prompts))
        loss = -scored.logprobs.sum() / scored.mask.sum()
        self.optimizer_step_on([loss], max_grad_norm=1.0)
        self.log_step({"repeat/surprise": loss.detach(), "lr": self.lr}, self.global_step)
