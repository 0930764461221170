"""Makes the embedded model: a dense lesson for the tower, then a curriculum for the language model.

1. Tower (``tower_steps``): a linear head on every image token says where its cell lies, whether an
   object's centre is in it, and which class, colour and box that object has.
2. Language (the other steps): naming, locating and relating, from one object per scene upwards;
   starting with many objects stays on a plateau. The dense lesson goes on with a smaller weight.

Questions about one scene share rows: ``[image | question answer | question answer | ...]``, one of
answers that point and one of answers in words, which are much shorter.
"""

import math
from collections.abc import Mapping
from typing import Any, ClassVar, cast

import torch
from jaxtyping import Float
from lightning.pytorch.core.optimizer import LightningOptimizer
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel

from groundrl.grammar.base import Grammar
from groundrl.policy.family import is_tower
from groundrl.policy.layout import Branch, pack_rows, row_length
from groundrl.policy.policy import Policy
from groundrl.policy.prompt import Prompt
from groundrl.policy.vision import VisionFeatures
from groundrl.pretraining.dense_lesson import CLASS_NAMES, COLOR_NAMES, DenseHead, dense_targets
from groundrl.pretraining.lessons import Curriculum, Lesson
from groundrl.prompts import to_frame
from groundrl.records import Sample
from groundrl.stages.base import Stage

TOKENS_PER_FORWARD = 4096


class PretrainModule(Stage):
    """Trains every weight of the embedded model from scratch."""

    metrics: ClassVar[Mapping[str, str]] = {
        **Stage.metrics,
        "pretrain/loss": "Loss of the dense lesson: objectness, class, colour and box.",
        "pretrain/class": "Share of objects whose class the tower reads right.",
        "pretrain/color": "Share of objects whose colour the tower reads right.",
        "pretrain/corner_error": "Mean distance of box corners, as a share of the image's side.",
        "pretrain/pointing_loss": "Mean cross-entropy per token of answers that point, nats.",
        "pretrain/words_loss": "Mean cross-entropy per token of answers in words, nats.",
    }
    shown: ClassVar[Mapping[str, str]] = {"pretrain/loss": "loss {:.3f}"}

    def __init__(
        self,
        policy: Policy,
        grammar: Grammar,
        steps: int,
        tower_steps: int,
        pointing_turns: int = 2,
        word_turns: int = 4,
        curriculum: Curriculum | None = None,
        tower_lr: float = 6e-3,
        language_lr: float = 8e-3,
        tower_share: float = 0.1,
        adamw_share: float = 0.2,
        max_grad_norm: float = 1.0,
        dense_weight: float = 0.5,
        warmup: float = 0.05,
    ) -> None:
        """The second phase asks ``pointing_turns`` and ``word_turns`` questions about a scene.
        AdamW's learning rate is ``adamw_share`` of Muon's, and in the second phase the tower's is
        ``tower_share`` of the language model's: at full rate it unlearns its first lesson."""
        super().__init__(policy)
        self.automatic_optimization = False
        self.grammar = grammar
        self.tower_steps = tower_steps
        self.language_steps = steps - tower_steps
        self.pointing_turns = pointing_turns
        self.word_turns = word_turns
        self.curriculum = curriculum or Curriculum()
        self.tower_lr = tower_lr
        self.language_lr = language_lr
        self.tower_share = tower_share
        self.adamw_share = adamw_share
        self.max_grad_norm = max_grad_norm
        self.dense_weight = dense_weight
        self.warmup = warmup
        self.head = DenseHead(policy.vlm.config.text_config.hidden_size)

    def configure_optimizers(self) -> list[torch.optim.Optimizer]:
        """Muon (Jordan et al. 2024) for the weight matrices, AdamW for all other weights.

        Muon needs about half the steps of AdamW here.
        """
        kinds: dict[str, dict[bool, list[nn.Parameter]]] = {
            kind: {True: [], False: []} for kind in ("matrix", "other")
        }
        spec = self.policy.spec
        for name, parameter in self.named_parameters():
            tower = name.startswith("head.") or is_tower(name.removeprefix("policy.model."), spec)
            # Rows of a table and of the dense head are independent of each other.
            matrix = parameter.ndim == 2 and "embed" not in name and not name.startswith("head.")
            kinds["matrix" if matrix else "other"][tower].append(parameter)

        def groups(kind: str) -> list[dict[str, Any]]:
            return [{"params": params, "tower": tower} for tower, params in kinds[kind].items()]

        return [
            torch.optim.Muon(
                groups("matrix"), lr=1.0, weight_decay=0.01, adjust_lr_fn="match_rms_adamw"
            ),
            torch.optim.AdamW(groups("other"), lr=1.0, betas=(0.9, 0.95), weight_decay=0.01),
        ]

    def learning_rate(self, step: int) -> float:
        """Muon's: linear warm-up and cosine decay to 2 % within each phase."""
        if step < self.tower_steps:
            return self.tower_lr * one_cycle(step / self.tower_steps, self.warmup)
        done = (step - self.tower_steps) / max(1, self.language_steps)
        return self.language_lr * one_cycle(min(1.0, done), self.warmup)

    def training_step(self, lessons: list[Lesson], batch_index: int) -> None:
        """The dense lesson, and in the second phase the language lesson too."""
        if self.global_step == self.tower_steps:
            self.start_words_where_the_tower_looks()
        lr = self.learning_rate(self.global_step)
        prompts = [lesson.prompt for lesson in lessons]
        features = self.policy.features(prompts)
        tokens = torch.cat([feature.tokens for feature in features])
        targets = dense_targets([lesson.scene for lesson in lessons], prompts, tokens.device)
        dense = self.head(tokens, targets)
        metrics = {f"pretrain/{name}": value for name, value in dense.items()} | {"lr": lr}
        loss = dense["loss"]
        if self.global_step >= self.tower_steps:
            # The fused kernel multiplies each short answer's matrices by themselves.
            with sdpa_kernel(SDPBackend.MATH):
                pointing, words = self.language_losses(lessons, features)
            metrics |= {"pretrain/pointing_loss": pointing, "pretrain/words_loss": words}
            loss = pointing + words + self.dense_weight * loss
        self.optimize(loss, lr)
        self.log_step(metrics, self.global_step)

    @torch.no_grad()
    def start_words_where_the_tower_looks(self) -> None:
        """The embedding of "cup" becomes the direction in which the dense head reads cups.

        Embeddings are tied: to look for a word and to say what is seen both begin as a comparison.
        """
        table = cast(nn.Embedding, self.policy.vlm.get_input_embeddings()).weight
        size = table.norm(dim=-1).mean()
        tokenizer = self.policy.processor.tokenizer
        _, categories, colors, *_ = self.head.linear.weight.split(self.head.sizes)
        for names, rows in ((CLASS_NAMES, categories), (COLOR_NAMES, colors)):
            rows = size * F.normalize(rows - rows.mean(0), dim=-1)
            for name, row in zip(names, rows, strict=True):
                for text in (name, f" {name}"):
                    token, *rest = tokenizer.encode(text, add_special_tokens=False)
                    if not rest:
                        table[token] = row

    def optimize(self, loss: Float[Tensor, ""], lr: float) -> None:
        """One step of both optimizers."""
        muon, adamw = cast(list[LightningOptimizer], self.optimizers())
        tower_share = 1.0 if self.global_step < self.tower_steps else self.tower_share
        for optimizer, rate in ((muon, lr), (adamw, lr * self.adamw_share)):
            optimizer.zero_grad()
            for group in optimizer.param_groups:
                group["lr"] = rate * (tower_share if group["tower"] else 1.0)
        self.manual_backward(loss)
        torch.nn.utils.clip_grad_norm_(self.parameters(), self.max_grad_norm)
        muon.step()
        adamw.optimizer.step()  # unwrapped: Lightning would count it as another step

    def language_losses(
        self, lessons: list[Lesson], features: list[VisionFeatures]
    ) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
        """Mean cross-entropy of what points and of what says words.

        Two means: in a common one the words, a tenth of the tokens, would hardly count. Reasoning
        and answer are taught apart, each in its tags: joining them is left to the SFT warm-up,
        which could not teach a frozen vocabulary tokens that it has never used.
        """
        pointing = [
            [
                self.branch(sample, f"<think>{self.pointing(sample, lesson.prompt)}</think>")
                for sample in lesson.pointing
            ]
            for lesson in lessons
        ]
        words = [
            [
                self.branch(sample, f"<answer>{', '.join(sample.answers)}</answer>")
                for sample in lesson.words
            ]
            for lesson in lessons
        ]
        return self.mean_loss(lessons, features, pointing), self.mean_loss(lessons, features, words)

    def mean_loss(
        self,
        lessons: list[Lesson],
        features: list[VisionFeatures],
        branches: list[list[Branch]],
    ) -> Float[Tensor, ""]:
        """Mean cross-entropy of the answers' tokens; rows of similar length share a pass."""
        rows = [
            row_length(lesson.prompt.prefix, group)
            for lesson, group in zip(lessons, branches, strict=True)
        ]
        total, count = torch.zeros(()), 0
        for chosen in pack_rows(rows, TOKENS_PER_FORWARD):
            scored = self.policy.logprobs(
                [lessons[i].prompt for i in chosen],
                [branches[i] for i in chosen],
                [features[i] for i in chosen],
            )
            total = total - scored.logprobs.sum().cpu()
            count += int(scored.mask.sum())
        return total / count

    def pointing(self, sample: Sample, prompt: Prompt) -> str:
        """The sample's rationale, with boxes as the policy writes them."""
        assert sample.rationale is not None
        return self.grammar.render_segments(
            to_frame(sample.rationale, prompt.sizes, self.policy.frame)
        )

    def branch(self, sample: Sample, text: str) -> Branch:
        """One question and its answer."""
        question = self.policy.encode.after_images(sample)
        answer = self.policy.encode.answer_tokens(text)
        return Branch(tokens=[*question, *answer], context=len(question))


def one_cycle(done: float, warmup: float) -> float:
    """Share of the peak learning rate after ``done`` (0 to 1) of a phase."""
    if done < warmup:
        return max(done, 1e-3) / warmup
    return 0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * (done - warmup) / (1 - warmup)))
