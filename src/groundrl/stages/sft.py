"""SFT warm-up: teaches the grammar of grounded reasoning from worked examples."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import ClassVar, cast

import torch
from jaxtyping import Float
from lightning.pytorch.core.optimizer import LightningOptimizer
from torch import Tensor

from groundrl.cache_key import digest
from groundrl.config_node import ConfigNode, too_small
from groundrl.grammar.base import Grammar
from groundrl.policy.policy import Features, Policy
from groundrl.policy.prompt import Example, Prompt
from groundrl.policy.shared_prefix.layout import Branch, pack_rows, row_length
from groundrl.questions.sentences import in_words
from groundrl.records import CAPTION, Sample
from groundrl.rollout.lengths import check_length
from groundrl.rollout.memory import explain_full_memory, pixel_option
from groundrl.running.parallel import all_gather, sum_metrics
from groundrl.stages.base import Stage
from groundrl.stages.fitting.optimization import Optimization


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
        """``tokens_per_forward``, padding included, bounds memory and changes no result.
        ``pointing``: share of the samples, chosen by their ids, whose reasoning keeps its boxes;
        that of the others says what it sees in words. Boxes that are the answer stay."""
        super().__init__(policy)
        self.automatic_optimization = False
        self.grammar = grammar
        self.optimization = optimization
        self.tokens_per_forward = tokens_per_forward
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
        targets = [[Branch(tokens=self.target(*example))] for example in examples]
        for (sample, prompt), (branch,) in zip(examples, targets, strict=True):
            check_length(self.policy, sample, prompt, len(branch.tokens))
        features = self.policy.fixed_features(prompts)
        counted = map(self.counted_tokens, prompts, (branch for (branch,) in targets))
        tokens = sum(all_gather(sum(counted)))
        totals = {"sft/loss": 0.0, "sft/entropy": 0.0}
        rows = [row_length(p.prefix, group) for p, group in zip(prompts, targets, strict=True)]
        packs = [*pack_rows(rows, self.tokens_per_forward)]

        def losses() -> Iterator[Tensor]:
            for chosen in packs:
                loss, entropy = self.summed_loss(
                    [prompts[i] for i in chosen],
                    [targets[i] for i in chosen],
                    [features[i] for i in chosen],
                )
                yield loss / tokens
                totals["sft/loss"] += loss.item() / tokens
                totals["sft/entropy"] += entropy.item() / tokens

        with explain_full_memory(self.step_memory()):
            self.optimizer_step_on(
                losses(), self.optimization.max_grad_norm, self.optimization.may_skip, len(packs)
            )
        self.log_step(sum_metrics(all_gather(totals)) | {"lr": lr}, self.global_step)

    def counted_tokens(self, prompt: Prompt, target: Branch) -> int:
        """Number of tokens of a row whose losses are averaged."""
        return len(target.tokens)

    def summed_loss(
        self, prompts: list[Prompt], targets: list[list[Branch]], features: Features
    ) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
        """Sums over the counted tokens: of the loss, and of the entropy without gradient."""
        scored = self.policy.logprobs(prompts, targets, features)
        return -scored.logprobs.sum(), scored.entropy.sum()

    def step_memory(self) -> dict[str, object]:
        """Options on which the memory of a step depends, with their values."""
        return {
            "stage.sft.module.tokens_per_forward": self.tokens_per_forward,
            **pixel_option(self.policy),
        }

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
