"""A reward model that says of each sentence of a caption how likely it has an error.

After ViGoR (arXiv 2402.06118, section 3.1): a vision-language model reads the image, the question
and the caption once, and a head is read at the end of each sentence. The paper publishes neither
head nor loss, weights or learning rates; those here are ours:

* head: one linear layer in float32 on the last hidden state at the last token of the sentence, with
  an output for "has an error" and one for each kind of error (OUTPUTS), zero at the start;
* loss: ``BCE(wrong) + mean over kinds of BCE(kind)``, where the share of annotators who see an
  error is the target, and errors weigh ``w = (1 - s) / s`` if ``s`` of the units have one, ``s``
  kept within LEAST_SHARE and 1 - LEAST_SHARE;
* probability: ``sigmoid(z - log w)``, which takes the weight back (prior correction, King and Zeng
  2001). From ``s`` on a sentence counts as wrong: there an error is as likely as not under equal
  weights (``z = 0``).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from groundrl.data.image_files import check_images
from groundrl.errors import UserError
from groundrl.feedback.captions import OUTPUTS, CaptionToScore, Level, caption_sample, units
from groundrl.feedback.labels import SentenceError
from groundrl.policy.passes import ForwardPass, pack
from groundrl.policy.policy import Features, Policy
from groundrl.policy.prompt import Prompt, PromptEncoder
from groundrl.policy.shared_prefix.layout import Branch, row_length, split_group
from groundrl.policy.vision_store import VisionFeatures
from groundrl.prompts import PromptTemplate
from groundrl.records import ImageFile, ImageSource
from groundrl.running.full_memory import MemoryLimit

TEMPLATE: Final = PromptTemplate()
"""The prompt of a caption is the question alone: instructions on how to answer concern nothing that
the model is asked here."""
LEAST_SHARE: Final = 1 / 11
"""So that neither errors nor right sentences weigh more than ten times the others."""
TOKENS_PER_FORWARD: Final = 8192
"""Where captions are only scored."""
PROMPTS_AT_ONCE: Final = 64
"""Images in memory while many captions are scored."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SentenceScore:
    """What the model says of a sentence, or of the whole caption."""

    start: int
    stop: int
    """Places in the text."""
    wrong: float
    """Probability of any error, 0 to 1."""
    errors: Mapping[SentenceError, float]
    """Probability of each kind of error."""
    is_wrong: bool
    """Whether ``wrong`` is at least the model's threshold."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadCaption:
    """A caption as tokens, and where the head is read."""

    branch: Branch
    spans: Sequence[tuple[int, int]]
    ends: Sequence[int]
    """Index of the last token of each span."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptionRow:
    """A row of a forward pass: a prompt with some of its captions."""

    number: int
    """Of the prompt."""
    prompt: Prompt
    features: VisionFeatures | None
    """None where the tower learns."""
    captions: Sequence[ReadCaption]
    first: int = 0
    """Number of the first caption among those of the prompt."""

    @property
    def part(self) -> slice:
        """Which of the prompt's captions these are."""
        return slice(self.first, self.first + len(self.captions))

    @property
    def length(self) -> int:
        """See ``Row``."""
        return row_length(self.prompt.prefix, [one.branch for one in self.captions])

    def split(self, budget: int) -> "list[CaptionRow]":
        """See ``Row``."""
        sizes = [len(one.branch.tokens) for one in self.captions]
        return [
            replace(self, captions=self.captions[part], first=self.first + part.start)
            for part in split_group(len(self.prompt.prefix.tokens), sizes, budget)
        ]


class RewardModel(nn.Module):
    """A policy with a head for each error.

    ``thresholds``: see the module; they are the shares of units with each error of OUTPUTS.
    """

    thresholds: Tensor

    def __init__(
        self,
        policy: Policy,
        shares: Sequence[float],
        level: Level = "sentence",
        memory_limit: MemoryLimit | None = None,
    ) -> None:
        """``shares``: of the units of the training captions that have each error of OUTPUTS.
        ``memory_limit``: tokens of a forward pass; None: TOKENS_PER_FORWARD."""
        super().__init__()
        self.policy = policy
        self.level: Level = level
        self.memory_limit = memory_limit or MemoryLimit("tokens", TOKENS_PER_FORWARD)
        width = policy.vlm.config.get_text_config().hidden_size
        self.head = nn.Linear(width, len(OUTPUTS))
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)
        kept = torch.tensor(shares, dtype=torch.float32).clamp(LEAST_SHARE, 1 - LEAST_SHARE)
        self.register_buffer("thresholds", kept)

    @property
    def encode(self) -> PromptEncoder:
        """Writes prompts of captions; it can be sent to data loader processes."""
        return self.policy.encode.with_template(TEMPLATE)

    @property
    def threshold(self) -> float:
        """The probability of any error from which a sentence counts as wrong."""
        return float(self.thresholds[0])

    def read(self, text: str) -> ReadCaption:
        """The tokens of a text up to the end of its last unit.

        Unit by unit, so that a token ends where a sentence does: one such as ``.\\n\\n`` would
        reach beyond it, and not every tokenizer says exactly where its tokens stand.
        """
        encode = self.policy.encode
        tokens, ends, place = list[int](), list[int](), 0
        spans = units(text, self.level)
        for _, stop in spans:
            tokens += encode.text_tokens(encode.as_text(text[place:stop]))
            ends.append(len(tokens) - 1)
            place = stop
        return ReadCaption(branch=Branch(tokens=tokens), spans=spans, ends=ends)

    def logits(
        self,
        prompts: list[Prompt],
        captions: Sequence[Sequence[ReadCaption]],
        features: Features = None,
    ) -> Float[Tensor, "N outputs"]:
        """The head's outputs for all units of each prompt's captions, in order, in one pass."""
        branches = [[one.branch for one in group] for group in captions]
        states = self.policy.token_states(prompts, branches, features)
        flat = [one for group in captions for one in group]
        rows = [row for row, one in enumerate(flat) for _ in one.ends]
        ends = [end for one in flat for end in one.ends]
        # Probabilities of a few sentences cost nothing in float32, and a bfloat16 head rounds them.
        with torch.autocast(states.device.type, enabled=False):
            return F.linear(states[rows, ends].float(), self.head.weight, self.head.bias)

    def losses(
        self, logits: Float[Tensor, "N outputs"], targets: Float[Tensor, "N outputs"]
    ) -> Float[Tensor, "N"]:
        """The loss of each unit, see the module."""
        weights = (1 - self.thresholds) / self.thresholds
        each = F.binary_cross_entropy_with_logits(
            logits, targets, pos_weight=weights, reduction="none"
        )
        return each[:, 0] + each[:, 1:].mean(dim=1)

    def probabilities(self, logits: Float[Tensor, "N outputs"]) -> Float[Tensor, "N outputs"]:
        """Probability of each error."""
        return torch.sigmoid(logits + torch.logit(self.thresholds))

    def score(
        self, image: ImageSource | Path | str, question: str, text: str
    ) -> list[SentenceScore]:
        """A score for each sentence of ``text``, or one for the whole of it where ``level`` is
        "caption"; none for a text without a sentence. ``image``: an image or the path of one;
        UserError where it cannot be read."""
        source = image if isinstance(image, ImageSource) else image_file(Path(image))
        return self.score_many([CaptionToScore(image=source, question=question, text=text)])[0]

    @torch.no_grad()
    def score_many(self, captions: Sequence[CaptionToScore]) -> list[list[SentenceScore]]:
        """``score`` of each caption. Captions of one image and question share its prompt."""
        read = [self.read(caption.text) for caption in captions]
        groups: dict[tuple[str, str], list[int]] = {}
        for index, caption in enumerate(captions):
            if read[index].spans:
                groups.setdefault((caption.image.key, caption.question), []).append(index)
        encode = self.encode
        found: dict[int, list[SentenceScore]] = {}
        listed = list(groups.values())
        for start in range(0, len(listed), PROMPTS_AT_ONCE):
            part = listed[start : start + PROMPTS_AT_ONCE]
            first = [captions[group[0]] for group in part]
            prompts = [encode(caption_sample(one.image, one.question)) for one in first]
            features = self.policy.features(prompts)
            own = [[read[i] for i in group] for group in part]
            for one, attempt in self.memory_limit.attempts(self.passes(prompts, own, features)):
                with attempt:
                    logits = self.logits(
                        [row.prompt for row in one.rows],
                        [row.captions for row in one.rows],
                        [row.features for row in one.rows],
                    )
                    values = iter(self.probabilities(logits).tolist())
                    for i in (i for row in one.rows for i in part[row.number][row.part]):
                        found[i] = self._as_scores([*zip(read[i].spans, values, strict=False)])
        return [found.get(index, []) for index in range(len(captions))]

    def passes(
        self,
        prompts: Sequence[Prompt],
        captions: Sequence[Sequence[ReadCaption]],
        features: Sequence[VisionFeatures | None],
    ) -> list[ForwardPass[CaptionRow]]:
        """Passes within the memory limit over each prompt's captions."""
        rows = [
            CaptionRow(number=number, prompt=prompt, features=own, captions=group)
            for number, (prompt, own, group) in enumerate(
                zip(prompts, features, captions, strict=True)
            )
        ]
        # Without prefix sharing every caption is a row.
        return pack(rows, self.memory_limit.size, None if self.policy.prefix_sharing else 0)

    def _as_scores(
        self, rows: Iterable[tuple[tuple[int, int], list[float]]]
    ) -> list[SentenceScore]:
        """Scores of units, given their places and their probabilities."""
        return [
            SentenceScore(
                start=start,
                stop=stop,
                wrong=wrong,
                errors=dict(zip(SentenceError, kinds, strict=True)),
                is_wrong=wrong >= self.threshold,
            )
            for (start, stop), (wrong, *kinds) in rows
        ]


def image_file(path: Path) -> ImageFile:
    """The image at ``path``. Raises UserError where there is none that can be read."""
    found = check_images([path])[path]
    if isinstance(found, str):
        raise UserError(f"{path}: {found}")
    return found
