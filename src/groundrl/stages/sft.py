"""SFT warm-up: teaches the grammar of grounded reasoning from worked examples."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import ClassVar, cast

import torch
from jaxtyping import Float
from lightning.pytorch.core.optimizer import LightningOptimizer
from torch import Tensor

from groundrl.cache_key import digest
from groundrl.config_node import ConfigNode, too_small
from groundrl.full_memory import MemoryLimit
from groundrl.grammar.base import Grammar
from groundrl.policy.passes import ForwardPass, pack
from groundrl.policy.policy import Features, Policy
from groundrl.policy.prompt import Example, Prompt
from groundrl.policy.shared_prefix.layout import Branch, row_length
from groundrl.policy.vision_store import VisionFeatures
from groundrl.questions.sentences import in_words
from groundrl.records import CAPTION, Sample
from groundrl.rollout.lengths import check_length
from groundrl.running.parallel import all_gather, sum_metrics
from groundrl.stages.base import Stage
from groundrl.stages.fitting.optimization import Optimization
from groundrl.stages.passes import PassLosses


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
        pointing: float = 1.0,
    ) -> None:
        """``tokens_per_forward``, padding included, bounds memory and changes no result; it is
        halved where memory is full. ``pointing``: share of the samples, chosen by their ids, whose
        reasoning keeps its boxes; that of the others says what it sees in words. Boxes that are
        the answer stay."""
        super().__init__(policy)
        self.automatic_optimization = False
        self.grammar = grammar
        self.optimization = optimization
        option = "stage.sft.module.tokens_per_forward"
        self.memory_limit = MemoryLimit("tokens", tokens_per_forward, option)
        self.pointing = pointing

    @classmethod
    def config_problems(cls, node: ConfigNode) -> Iterator[str]:
        """A share of the samples is from 0 to 1."""
        yield from too_small(node, {"pointing": 0})
        share = node.options.get("pointing")
        if isinstance(share, int | float) and share > 1:
            option = f"{node.path}.pointing"
            yield f"{option}={share} is more than all samples: type {option}=1.0"

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """AdamW on what the adapter leaves trainable."""
        return self.optimization.optimizer(self.policy)

    def training_step(self, examples: list[Example], batch_index: int) -> None:
        """One optimizer step on the target tokens of all samples of all processes."""
        optimizer = cast(LightningOptimizer, self.optimizers())
        lr = self.optimization.set_lr(optimizer.optimizer, self.global_step)
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
        answered_in_words = sample.answers and sample.kind != CAPTION
        if answered_in_words and place_of(sample.id) >= self.pointing:
            response = replace(response, reasoning=in_words(response.reasoning))
        return self.policy.encode.answer_tokens(self.grammar.render(response))


def place_of(id: str) -> float:
    """A number from 0 to below 1, evenly spread over ids."""
    return int(digest(id), 16) / 16**16
