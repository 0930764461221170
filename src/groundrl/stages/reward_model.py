"""Training of a reward model: how likely each sentence of a caption has an error."""

from collections.abc import Iterator, Mapping
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from groundrl.config_node import ConfigNode
from groundrl.errors import UserError
from groundrl.feedback.captions import (
    CaptionGroup,
    CaptionList,
    Level,
    RatedCaption,
    yields_captions,
)
from groundrl.feedback.reward_model import CaptionRow, RewardModel
from groundrl.policy.passes import ForwardPass
from groundrl.policy.policy import Policy
from groundrl.policy.prompt import Prompt
from groundrl.rollout.lengths import check_length
from groundrl.running.parallel import all_gather, sum_metrics
from groundrl.stages.base import Stage
from groundrl.stages.fitting.optimization import Optimization
from groundrl.stages.fitting.passes import PassLosses


class RewardModelModule(Stage):
    """Weighted binary cross-entropy at the ends of sentences, see ``feedback.reward_model``."""

    resource_options: ClassVar[frozenset[str]] = frozenset({"tokens_per_forward"})
    metrics: ClassVar[Mapping[str, str]] = {
        **Stage.metrics,
        "reward_model/loss": "Mean weighted cross-entropy per sentence or caption, nats.",
        "reward_model/acc": "Share of them that are judged as most annotators do.",
        "reward_model/grad_norm": "Global gradient norm before clipping.",
    }
    shown: ClassVar[Mapping[str, str]] = {
        "reward_model/loss": "loss {:.3f}",
        "reward_model/acc": "acc {:.2f}",
    }

    def __init__(
        self,
        policy: Policy,
        captions: CaptionList,
        optimization: Optimization,
        level: Level = "sentence",
        tokens_per_forward: int = 8192,
    ) -> None:
        """``captions``: those that are trained on. ``level``: a score for each sentence, or one
        for the whole caption, read at its end. ``tokens_per_forward``, padding included, bounds
        memory and changes no result; it is halved where memory is full."""
        super().__init__(policy, tokens_per_forward)
        self.automatic_optimization = False
        self.optimization = optimization
        shares = captions.targets(level).mean(axis=0).tolist()
        self.reward_model = RewardModel(policy, shares, level, self.memory_limit)

    @classmethod
    def config_problems(cls, node: ConfigNode) -> Iterator[str]:
        """It learns from labelled captions, with weights that can be loaded again."""
        pipeline = node.value("pipeline")
        if not isinstance(pipeline, list) or node.path.split(".")[1] not in pipeline:
            return
        if not yields_captions(node):
            yield (
                f"pipeline={pipeline} learns from labelled captions, and data= has none: type "
                "data=labelled_captions data.path=<file.jsonl>"
            )
        if node.value("adapter.kind") == "qlora":
            yield (
                "adapter=qlora trains on 4-bit weights, and a reward model is loaded on those of "
                "full precision: type adapter=lora"
            )

    def configure_optimizers(self) -> list[torch.optim.Optimizer]:
        """Those of the head and of what the adapter leaves trainable."""
        return self.optimization.optimizers(self)

    def sample_ids(self, batch: list[tuple[CaptionGroup, Prompt]]) -> list[str]:
        """See ``Stage``."""
        return [group[0].sample.id for group, _ in batch]

    def training_step(self, examples: list[tuple[CaptionGroup, Prompt]], batch_index: int) -> None:
        """One optimizer step on all sentences of all captions of all processes."""
        model = self.reward_model
        lr = self.optimization.set_lr(self.trainer.optimizers, self.global_step)
        prompts = [prompt for _, prompt in examples]
        captions = [[model.read(one.text) for one in group] for group, _ in examples]
        targets = [[self.targets(one) for one in group] for group, _ in examples]
        for (group, prompt), read in zip(examples, captions, strict=True):
            longest = max(len(one.branch.tokens) for one in read)
            check_length(self.policy, group[0].sample, prompt, longest)
        count = sum(all_gather(sum(len(one) for group in targets for one in group)))

        def loss_of(one: ForwardPass[CaptionRow]) -> tuple[Tensor, dict[str, Tensor]]:
            logits = model.logits(
                [row.prompt for row in one.rows],
                [row.captions for row in one.rows],
                [row.features for row in one.rows],
            )
            truth = torch.cat([part for row in one.rows for part in targets[row.number][row.part]])
            loss = model.losses(logits, truth).sum() / count
            right = ((logits[:, 0] >= 0) == (truth[:, 0] >= 0.5)).sum()
            return loss, {"reward_model/loss": loss.detach(), "reward_model/acc": right}

        with self.explain_full_memory():
            features = self.policy.fixed_features(prompts)
            losses = PassLosses(
                model.memory_limit, model.passes(prompts, captions, features), loss_of
            )
            norm = self.optimizer_step_on(
                losses, self.optimization.max_grad_norm, self.optimization.may_skip
            )
        metrics = sum_metrics(all_gather(losses.metrics))
        metrics["reward_model/acc"] = metrics.get("reward_model/acc", 0.0) / count
        self.log_step(metrics | {"lr": lr, "reward_model/grad_norm": norm}, self.global_step)

    def targets(self, caption: RatedCaption) -> Float[Tensor, "S outputs"]:
        """Those of a caption, on the device of the weights."""
        found = caption.targets(self.reward_model.level)
        return torch.tensor(found, dtype=torch.float32, device=self.device)


def check_two_classes(captions: CaptionList, level: Level) -> None:
    """Raise UserError where all sentences (or captions) are right, or all are wrong."""
    wrong = captions.targets(level)[:, 0]
    if 0 < wrong.mean() < 1:
        return
    other = "wrong" if wrong.mean() == 0 else "right"
    hint = ", or type stage.reward_model.module.level=sentence" if level == "caption" else ""
    raise UserError(
        f"no {level} of the {len(captions.captions)} training captions is {other}, so there is "
        f"nothing to tell apart: add captions with {other} ones{hint}"
    )
