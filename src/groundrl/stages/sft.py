"""SFT warm-up: teaches the grammar of grounded reasoning from worked examples."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from groundrl.grammar.base import Grammar
from groundrl.policy.passes import ForwardPass, pack
from groundrl.policy.policy import Features, Policy
from groundrl.policy.prompt import Example, Prompt
from groundrl.policy.shared_prefix.layout import Branch, row_length
from groundrl.policy.vision_store import VisionFeatures
from groundrl.records import Sample
from groundrl.rollout.lengths import check_length
from groundrl.running.parallel import all_gather, sum_metrics
from groundrl.stages.base import Stage
from groundrl.stages.fitting.optimization import Optimization
from groundrl.stages.fitting.passes import PassLosses


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkedExample:
    """A row: a prompt and the answer to learn."""

    prompt: Prompt
    features: VisionFeatures | None
    """None where the tower learns."""
    target: Branch

    @property
    def length(self) -> int:
        """See ``Row``."""
        return row_length(self.prompt.prefix, [self.target])

    def split(self, budget: int) -> "list[WorkedExample]":
        """See ``Row``: one answer is not split."""
        return [self]


class SFTModule(Stage):
    """Next-token cross-entropy on the answer, ``-mean log p(token)``, prompt excluded."""

    resource_options: ClassVar[frozenset[str]] = frozenset({"tokens_per_forward"})
    metrics: ClassVar[Mapping[str, str]] = {
        **Stage.metrics,
        "sft/loss": "Mean cross-entropy per target token, nats.",
        "sft/entropy": "Entropy of the policy per target token, nats.",
    }
    shown: ClassVar[Mapping[str, str]] = {"sft/loss": "loss {:.3f}"}

    def __init__(
        self,
        policy: Policy,
        grammar: Grammar,
        optimization: Optimization,
        tokens_per_forward: int = 8192,
    ) -> None:
        """``tokens_per_forward``, padding included, bounds memory and changes no result; it is
        halved where memory is full."""
        super().__init__(policy, tokens_per_forward)
        self.automatic_optimization = False
        self.grammar = grammar
        self.optimization = optimization

    def configure_optimizers(self) -> list[torch.optim.Optimizer]:
        """Those of what the adapter leaves trainable."""
        return self.optimization.optimizers(self.policy)

    def training_step(self, examples: list[Example], batch_index: int) -> None:
        """One optimizer step on the target tokens of all samples of all processes."""
        lr = self.optimization.set_lr(self.trainer.optimizers, self.global_step)
        prompts = [prompt for _, prompt in examples]
        targets = [Branch(tokens=self.target(*example)) for example in examples]
        for (sample, prompt), target in zip(examples, targets, strict=True):
            check_length(self.policy, sample, prompt, len(target.tokens))
        tokens = sum(all_gather(sum(map(self.counted_tokens, prompts, targets))))

        def loss_of(one: ForwardPass[WorkedExample]) -> tuple[Tensor, dict[str, Tensor]]:
            loss, entropy = self.summed_loss(
                [row.prompt for row in one.rows],
                [[row.target] for row in one.rows],
                [row.features for row in one.rows],
            )
            return loss / tokens, {"sft/loss": loss.detach(), "sft/entropy": entropy}

        with self.explain_full_memory():
            features = self.policy.fixed_features(prompts)
            rows = [
                WorkedExample(prompt=prompt, features=own, target=target)
                for prompt, own, target in zip(prompts, features, targets, strict=True)
            ]
            losses = PassLosses(self.memory_limit, pack(rows, self.memory_limit.size), loss_of)
            self.optimizer_step_on(
                losses, self.optimization.max_grad_norm, self.optimization.may_skip
            )
        means = {name: total / tokens for name, total in losses.metrics.items()}
        self.log_step(sum_metrics(all_gather(means)) | {"lr": lr}, self.global_step)

    def counted_tokens(self, prompt: Prompt, target: Branch) -> int:
        """Number of tokens of a row whose losses are averaged."""
        return len(target.tokens)

    def summed_loss(
        self, prompts: list[Prompt], targets: list[list[Branch]], features: Features
    ) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
        """Sums over the counted tokens: of the loss, and of the entropy without gradient."""
        scored = self.policy.logprobs(prompts, targets, features)
        return -scored.logprobs.sum(), scored.entropy.sum()

    def target(self, sample: Sample, prompt: Prompt) -> list[int]:
        """Tokens of the worked answer: rationale with boxes, then the answer."""
        response = self.policy.encode.target(sample, prompt.sizes, self.policy.frame)
        return self.policy.encode.answer_tokens(self.grammar.render(response))
