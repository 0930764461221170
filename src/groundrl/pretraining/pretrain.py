"""The pretraining stage: a dense lesson for the tower, then a curriculum for the language model.

1. Tower (``tower_steps``): a linear head on every image token predicts where its cell lies, whether
   an object's centre is in it, and the class, colour and box of that object.
2. Naming (``naming_steps``): naming and locating objects, from one object per scene upwards;
   training that starts with many objects stays on a plateau. The dense lesson continues with a
   smaller weight.
3. Reading (``reading_steps``): what follows from given reasoning, such as "a gray cup, so no" where
   a candle was asked for. From here on the tower stays as it is.
4. Relating (the other steps): places, presence, numbers, yes or no, true or false: a rationale that
   points first and then concludes, and the answer.

Questions about one scene share a row: ``[image | question answer | question answer | ...]``.
Answers with boxes and answers in words have separate rows, because the latter are much shorter.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, cast

import torch
from jaxtyping import Float
from lightning.pytorch.core.optimizer import LightningOptimizer
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel

from groundrl.grammar.base import Grammar
from groundrl.policy.family import is_tower
from groundrl.policy.policy import Policy
from groundrl.policy.prompt import Prompt
from groundrl.policy.shared_prefix.layout import Branch, pack_rows, row_length
from groundrl.policy.vision_store import VisionFeatures
from groundrl.pretraining.dense_lesson import COLOR_NAMES, DenseHead, dense_targets
from groundrl.pretraining.exercises import Exercise
from groundrl.pretraining.lessons import Lesson, Phases
from groundrl.pretraining.take_over import take_over
from groundrl.prompts import to_frame
from groundrl.records import Grounding
from groundrl.stages.base import Stage
from groundrl.world.vocabulary import CLASSES

TOKENS_PER_FORWARD = 4096
CERTAIN = 0.9
"""Probability from which on a word is learned and no longer counts in the mean of the words."""
LEAST_OPEN = 0.05
"""Share of the words that is added to those that count."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """A question with the part of its answer that is learned."""

    branch: Branch
    words: Sequence[int]
    """Indices of the branch's tokens that are no names and boxes, from the first box on: whether
    another box follows, and what they all lead to."""
    has_boxes: bool


class PretrainModule(Stage):
    """Trains every weight of the embedded model from scratch."""

    metrics: ClassVar[Mapping[str, str]] = {
        **Stage.metrics,
        "pretrain/loss": "Loss of the dense lesson: objectness, class, colour and box.",
        "pretrain/class": "Share of objects whose class the tower reads right.",
        "pretrain/color": "Share of objects whose colour the tower reads right.",
        "pretrain/corner_error": "Mean distance of box corners, as a share of the image's side.",
        "pretrain/pointing_loss": "Mean cross-entropy per token of names and boxes, nats.",
        "pretrain/words_loss": "Mean cross-entropy of the uncertain words after a box, nats.",
    }
    shown: ClassVar[Mapping[str, str]] = {"pretrain/loss": "loss {:.3f}"}

    def __init__(
        self,
        policy: Policy,
        grammar: Grammar,
        steps: int,
        tower_steps: int,
        naming_steps: int,
        reading_steps: int,
        start: str | None = None,
        tower_lr: float = 6e-3,
        naming_lr: float = 8e-3,
        relating_lr: float = 4e-3,
        tower_share: float = 0.1,
        adamw_share: float = 0.2,
        max_grad_norm: float = 1.0,
        dense_weight: float = 0.5,
        warmup: float = 0.05,
    ) -> None:
        """``start``: the folder of a pretrained model, or "embedded", whose weights are taken over;
        its vocabulary may be another one. AdamW's learning rate is ``adamw_share`` of Muon's. In
        the second phase the tower's is ``tower_share`` of the language model's: at the full rate
        it forgets its first lesson."""
        super().__init__(policy)
        self.automatic_optimization = False
        self.grammar = grammar
        self.phases = Phases(
            tower=tower_steps,
            naming=naming_steps,
            reading=reading_steps,
            relating=steps - tower_steps - naming_steps - reading_steps,
        )
        self.lr = {
            "tower": tower_lr,
            "naming": naming_lr,
            "reading": relating_lr,
            "relating": relating_lr,
        }
        self.tower_share = tower_share
        self.adamw_share = adamw_share
        self.max_grad_norm = max_grad_norm
        self.dense_weight = dense_weight
        self.warmup = warmup
        self.head = DenseHead(policy.vlm.config.text_config.hidden_size)
        if start is not None:
            take_over(policy, start)

    def configure_optimizers(self) -> list[torch.optim.Optimizer]:
        """Muon (Jordan et al. 2024) for the weight matrices, AdamW for all other weights.

        Muon needs about half the steps of AdamW here.
        """
        kinds: dict[str, dict[bool, list[nn.Parameter]]] = {
            kind: {True: [], False: []} for kind in ("matrix", "other")
        }
        language = self.policy.spec.language_model
        for name, parameter in self.named_parameters():
            inside = name.removeprefix("policy.model.")
            tower = name.startswith("head.") or is_tower(inside, language)
            # Muon suits no table whose rows are independent: embeddings and the dense head.
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
        phase, done = self.phases.at(step)
        return self.lr[phase] * one_cycle(done, self.warmup)

    def training_step(self, lessons: list[Lesson], batch_index: int) -> None:
        """The dense lesson in the first two phases, the language lesson in all but the first."""
        phase, _ = self.phases.at(self.global_step)
        with_tower = phase in ("tower", "naming")
        if phase == "naming" and self.global_step == self.phases.tower:
            self.init_word_embeddings()
        lr = self.learning_rate(self.global_step)
        metrics: dict[str, Any] = {"lr": lr}
        prompts = [lesson.prompt for lesson in lessons]
        loss = torch.zeros((), device=self.device)
        with torch.set_grad_enabled(with_tower):
            features = self.policy.features(prompts)
        if with_tower:
            tokens = torch.cat([feature.tokens for feature in features])
            targets = dense_targets([lesson.scene for lesson in lessons], prompts, tokens.device)
            dense = self.head(tokens, targets)
            metrics |= {f"pretrain/{name}": value for name, value in dense.items()}
            loss = dense["loss"] * (1.0 if phase == "tower" else self.dense_weight)
        if phase != "tower":
            # The fused kernel multiplies each short answer's matrices by themselves.
            with sdpa_kernel(SDPBackend.MATH):
                pointing, words = self.language_losses(lessons, features)
            metrics |= {"pretrain/pointing_loss": pointing, "pretrain/words_loss": words}
            loss = loss + pointing + words
        self.optimize(loss, lr)
        self.log_step(metrics, self.global_step)

    @torch.no_grad()
    def init_word_embeddings(self) -> None:
        """Set the embedding of each class and colour word to the dense head's weights for it.

        Input and output embeddings are tied, so finding the object that a word names and naming an
        object that is seen both start as a comparison of a word with image tokens.
        """
        table = cast(nn.Embedding, self.policy.vlm.get_input_embeddings()).weight
        size = table.norm(dim=-1).mean()
        tokenizer = self.policy.processor.tokenizer
        _, categories, colors, *_ = self.head.linear.weight.split(self.head.sizes)
        for names, rows in ((CLASSES, categories), (COLOR_NAMES, colors)):
            rows = size * F.normalize(rows - rows.mean(0), dim=-1)
            for name, row in zip(names, rows, strict=True):
                for text in (name, f" {name}"):
                    token, *rest = tokenizer.encode(text, add_special_tokens=False)
                    if not rest:
                        table[token] = row

    def sample_ids(self, batch: list[Lesson]) -> list[str]:
        """See ``Stage``."""
        return [exercise.sample.id for lesson in batch for exercise in lesson.exercises[:1]]

    def optimize(self, loss: Float[Tensor, ""], lr: float) -> None:
        """One step of both optimizers."""
        muon, adamw = cast(list[LightningOptimizer], self.optimizers())
        tower_share = 1.0 if self.phases.at(self.global_step)[0] == "tower" else self.tower_share
        for optimizer, rate in ((muon, lr), (adamw, lr * self.adamw_share)):
            optimizer.zero_grad()
            for group in optimizer.param_groups:
                group["lr"] = rate * (tower_share if group["tower"] else 1.0)
        self.manual_backward(loss)
        norm = torch.nn.utils.clip_grad_norm_(self.parameters(), self.max_grad_norm)
        self.is_finite(loss.detach(), norm, may_skip=0)
        muon.step()
        adamw.optimizer.step()  # unwrapped: Lightning would count it as another step

    def language_losses(
        self, lessons: list[Lesson], features: list[VisionFeatures]
    ) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
        """Mean cross-entropy of the names and boxes of an answer, and of the words between and
        after them, where those that are certain already hardly count.

        Two means, because in a common one the words, a tenth of the tokens, would hardly count: a
        relation is one token of sixty. The words after every box count alike: with a greater weight
        for those after the last one, the model stops at the first. In the second phase reasoning
        and answer are taught separately, each in its tags. The SFT warm-up could not teach the tags
        themselves, because its vocabulary is frozen.
        """
        written = [
            [self.write(exercise, lesson.prompt) for exercise in lesson.exercises]
            for lesson in lessons
        ]
        sums = torch.zeros(2)
        counts = torch.zeros(2)
        for with_boxes in (True, False):
            groups = [[one for one in group if one.has_boxes is with_boxes] for group in written]
            rows = [
                row_length(lesson.prompt.prefix, [one.branch for one in group])
                for lesson, group in zip(lessons, groups, strict=True)
            ]
            filled = [i for i, group in enumerate(groups) if group]
            for pack in pack_rows([rows[i] for i in filled], TOKENS_PER_FORWARD):
                chosen = [filled[i] for i in pack]
                scored = self.policy.logprobs(
                    [lessons[i].prompt for i in chosen],
                    [[one.branch for one in groups[i]] for i in chosen],
                    [features[i] for i in chosen],
                )
                words = torch.zeros_like(scored.mask)
                for row, one in enumerate(one for i in chosen for one in groups[i]):
                    words[row, list(one.words)] = True
                words &= scored.mask
                open_words = words & (scored.logprobs.detach() < math.log(CERTAIN))
                for k, mask in enumerate((scored.mask & ~words, words)):
                    sums[k] = sums[k] - (scored.logprobs * mask).sum().cpu()
                counted = (scored.mask & ~words).sum(), open_words.sum() + LEAST_OPEN * words.sum()
                counts += torch.stack([count.cpu().float() for count in counted])
        pointing, words = sums / counts.clamp(min=1)
        return pointing, words

    def write(self, exercise: Exercise, prompt: Prompt) -> Written:
        """The tokens of one question and of what is learned of its answer."""
        sample = exercise.sample
        question = self.policy.encode.after_images(sample)
        answer = f"<answer>{', '.join(sample.answers)}</answer>"
        if exercise.part == "answer":
            tokens = self.policy.encode.answer_tokens(answer)
            branch = Branch(tokens=[*question, *tokens], context=len(question))
            words = range(len(question), len(branch.tokens))
            return Written(branch=branch, words=words, has_boxes=False)
        assert sample.rationale is not None
        segments = to_frame(sample.rationale, prompt.sizes, self.policy.frame)
        # Piece by piece: <obj> and </bbox> are tokens of their own, so no token spans two pieces.
        encode = self.policy.encode
        tokens, words = [*question, *encode.text_tokens("<think>")], list[int]()
        pointed, context = False, len(question)
        for segment in segments:
            start = len(tokens)
            tokens += encode.text_tokens(self.grammar.render_segments((segment,)))
            if isinstance(segment, Grounding):
                pointed = True
            elif pointed:
                words += range(start, len(tokens))
                if exercise.part == "conclusion":
                    # Whether another box follows is for the image to say.
                    context = start + 1
        start = len(tokens)
        tokens += encode.answer_tokens(f"</think>{answer if exercise.part != 'reasoning' else ''}")
        words += range(start, len(tokens))
        branch = Branch(tokens=tokens, context=context)
        return Written(branch=branch, words=words, has_boxes=True)


def one_cycle(done: float, warmup: float) -> float:
    """Share of the peak learning rate after ``done`` (0 to 1) of a phase."""
    if done < warmup:
        return max(done, 1e-3) / warmup
    return 0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * (done - warmup) / (1 - warmup)))
