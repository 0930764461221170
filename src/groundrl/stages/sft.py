"""SFT warm-up: teaches the grammar of grounded reasoning from worked examples."""

from typing import cast

import torch
from torch import Tensor

from groundrl.grammar.base import Grammar
from groundrl.parallel import gathered, sums
from groundrl.policy.layout import Branch
from groundrl.policy.policy import Policy
from groundrl.policy.prompt import Prompt
from groundrl.records import Sample
from groundrl.stages.base import Stage
from groundrl.stages.optimization import Optimization
from groundrl.stages.strategy import sum_gradients


class SFTModule(Stage):
    """Next-token cross-entropy on the answer, ``-mean log p(token)``, prompt excluded."""

    def __init__(self, policy: Policy, grammar: Grammar, optimization: Optimization) -> None:
        super().__init__(policy)
        self.grammar = grammar
        self.optimization = optimization

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """AdamW on what the adapter leaves trainable."""
        return self.optimization.optimizer(self.policy)

    def configure_gradient_clipping(
        self,
        optimizer: torch.optim.Optimizer,
        gradient_clip_val: float | None = None,
        gradient_clip_algorithm: str | None = None,
    ) -> None:
        """The stage's own limit (Lightning calls this before each optimizer step)."""
        sum_gradients(self.policy)
        self.clip_gradients(
            optimizer,
            gradient_clip_val=self.optimization.max_grad_norm,
            gradient_clip_algorithm="norm",
        )

    def training_step(self, samples: list[Sample], batch_index: int) -> Tensor:
        """This process's share of the loss over the scored tokens of all samples of the step."""
        optimizer = cast(torch.optim.Optimizer, self.optimizers())
        lr = self.optimization.set_lr(optimizer, self.global_step)
        prompts = [self.policy.encode(sample) for sample in samples]
        with torch.no_grad():
            features = self.policy.features(prompts)
        targets = [
            [Branch(tokens=self.target(sample, prompt))]
            for sample, prompt in zip(samples, prompts, strict=True)
        ]
        scored = self.policy.logprobs(prompts, targets, features)
        tokens = sum(gathered(scored.mask.sum().item()))
        loss = -scored.logprobs.sum() / tokens
        entropy = scored.entropy.sum() / tokens
        shares = gathered({"sft/loss": loss.item(), "sft/entropy": entropy.item()})
        self.log_step(sums(shares) | {"lr": lr}, self.global_step + 1)
        return loss

    def target(self, sample: Sample, prompt: Prompt) -> list[int]:
        """Tokens of the worked answer: rationale with boxes, then the answer."""
        response = self.policy.encode.template.response(sample, prompt.view, self.policy.frame)
        return self.policy.encode.answer_tokens(self.grammar.render(response))
