"""Training of a reward model: how likely each sentence of a caption has an error."""

from collections.abc import Iterator, Mapping
from typing import ClassVar, cast

import torch
from jaxtyping import Float
from lightning.pytorch.core.optimizer import LightningOptimizer
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
from groundrl.feedback.reward_model import RewardModel
from groundrl.policy.policy import Policy
from groundrl.policy.prompt import Prompt
from groundrl.rollout.lengths import check_length
from groundrl.rollout.memory import explain_full_memory, pixel_option
from groundrl.running.parallel import all_gather, sum_metrics
from groundrl.stages.base import Stage
from groundrl.stages.fitting.optimization import Optimization


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
        memory and changes no result."""
        super().__init__(policy)
        self.automatic_optimization = False
        self.optimization = optimization
        shares = captions.targets(level).mean(axis=0).tolist()
        self.reward_model = RewardModel(policy, shares, level, tokens_per_forward)

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

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """AdamW on the head and on what the adapter leaves trainable."""
        return self.optimization.optimizer(self)

    def sample_ids(self, batch: list[tuple[CaptionGroup, Prompt]]) -> list[str]:
        """See ``Stage``."""
        return [group[0].sample.id for group, _ in batch]

    def training_step(self, examples: list[tuple[CaptionGroup, Prompt]], batch_index: int) -> None:
        """One optimizer step on all sentences of all captions of all processes."""
        model = self.reward_model
        optimizer = cast(LightningOptimizer, self.optimizers())
        lr = self.optimization.set_lr(optimizer.optimizer, self.global_step)
        prompts = [prompt for _, prompt in examples]
        captions = [[model.read(one.text) for one in group] for group, _ in examples]
        targets = [[self.targets(one) for one in group] for group, _ in examples]
        for (group, prompt), read in zip(examples, captions, strict=True):
            longest = max(len(one.branch.tokens) for one in read)
            check_length(self.policy, group[0].sample, prompt, longest)
        features = self.policy.fixed_features(prompts)
        count = sum(all_gather(sum(len(one) for group in targets for one in group)))
        totals = {"reward_model/loss": 0.0, "reward_model/acc": 0.0}
        passes = [*model.forward_passes(prompts, captions)]

        def losses() -> Iterator[Tensor]:
            for chosen in passes:
                logits = model.logits(
                    [prompts[number] for number, _ in chosen],
                    [captions[number][part] for number, part in chosen],
                    [features[number] for number, _ in chosen],
                )
                truth = torch.cat([one for n, part in chosen for one in targets[n][part]])
                yield (loss := model.losses(logits, truth).sum() / count)
                totals["reward_model/loss"] += loss.item()
                right = (logits[:, 0] >= 0) == (truth[:, 0] >= 0.5)
                totals["reward_model/acc"] += right.sum().item() / count

        with explain_full_memory(self.step_memory()):
            norm = self.optimizer_step_on(
                losses(), self.optimization.max_grad_norm, self.optimization.may_skip, len(passes)
            )
        metrics = sum_metrics(all_gather(totals))
        self.log_step(metrics | {"lr": lr, "reward_model/grad_norm": norm}, self.global_step)

    def targets(self, caption: RatedCaption) -> Float[Tensor, "S outputs"]:
        """Those of a caption, on the device of the weights."""
        found = caption.targets(self.reward_model.level)
        return torch.tensor(found, dtype=torch.float32, device=self.device)

    def step_memory(self) -> dict[str, object]:
        """Options on which the memory of a step depends, with their values."""
        return {
            "stage.reward_model.module.tokens_per_forward": self.reward_model.tokens_per_forward,
            **pixel_option(self.policy),
        }


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
