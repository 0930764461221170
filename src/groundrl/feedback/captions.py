"""Labelled captions as a reward model learns from them: one record per caption, split by image."""

import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, get_type_hints

import numpy as np
from jaxtyping import Float

from groundrl.config_node import ConfigNode, config_hooks, too_small
from groundrl.errors import UserError
from groundrl.feedback.labels import LabelledCaption, SentenceError, SentenceLabel, read_captions
from groundrl.language.splitting import split_sentences
from groundrl.records import ImageSource, Provenance, Sample

logger = logging.getLogger(__name__)

Level = Literal["sentence", "caption"]
"""What has one score: each sentence, or the caption as a whole."""
OUTPUTS: Final = ("wrong", *(str(error) for error in SentenceError))
"""What a reward model says of a sentence: whether it has any error, and which."""
HELDOUT_SHARE: Final = 0.2
"""Of the images, where no number is chosen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptionToScore:
    """A caption of an image, as an answer to a question."""

    image: ImageSource
    question: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RatedCaption:
    """A caption with the labels of all its annotators."""

    sample: Sample
    """The image and the question."""
    text: str
    labels: tuple[tuple[SentenceLabel, ...], ...]
    """By annotator, then by sentence; at least one of each."""

    @property
    def to_score(self) -> CaptionToScore:
        """The caption without its labels."""
        return CaptionToScore(
            image=self.sample.image, question=self.sample.question, text=self.text
        )

    def targets(self, level: Level) -> Float[np.ndarray, "S outputs"]:
        """Share of annotators, 0 to 1, who see each error of OUTPUTS in each unit of the text
        (``units``). A caption has an error if one of its sentences has it."""
        marks = np.array([[_marks(label) for label in row] for row in self.labels])
        if level == "caption":
            marks = marks.max(axis=1, keepdims=True)
        return marks.mean(axis=0)


def _marks(label: SentenceLabel) -> list[float]:
    return [float(bool(label.errors)), *(float(error in label.errors) for error in SentenceError)]


def units(text: str, level: Level) -> list[tuple[int, int]]:
    """Start and end of what has a score: each sentence, or everything from the first sentence to
    the last one. Empty for a text without a sentence."""
    spans = split_sentences(text)
    return [(spans[0][0], spans[-1][1])] if spans and level == "caption" else spans


CaptionGroup = tuple[RatedCaption, ...]
"""All captions of one image and question: they share a prompt, which is computed once."""


@dataclass(frozen=True, slots=True)
class CaptionList:
    """Groups of captions in memory; the images stay on disk until they are loaded."""

    groups: tuple[CaptionGroup, ...]

    def __len__(self) -> int:
        return len(self.groups)

    def __getitem__(self, index: int) -> CaptionGroup:
        return self.groups[index]

    @property
    def captions(self) -> list[RatedCaption]:
        """Those of all groups, in order."""
        return [caption for group in self.groups for caption in group]

    def targets(self, level: Level) -> Float[np.ndarray, "N outputs"]:
        """Those of all units of all captions, in order."""
        return np.concatenate([caption.targets(level) for caption in self.captions])


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptionData:
    """What a reward model is trained and measured on; no image is in both."""

    train: CaptionList
    heldout: CaptionList
    num_workers: int = 0
    """Processes that decode and resize images; 0: the one that trains."""


def rate_captions(captions: Iterable[LabelledCaption]) -> list[RatedCaption]:
    """One item per id, with the labels of all its annotators. Captions without a labelled sentence
    are left out, and their number is logged. Raises UserError where lines of one id differ in
    image, question or text, and where nothing is left."""
    grouped: dict[str, list[LabelledCaption]] = {}
    unlabelled = 0
    for caption in captions:
        if not caption.sentences:
            unlabelled += 1
            continue
        grouped.setdefault(caption.id, []).append(caption)
    if unlabelled:
        logger.info("%d captions without labels are left out", unlabelled)
    if not grouped:
        raise UserError("no caption has labels: label some first, or give another file of captions")
    return [_rate(group) for group in grouped.values()]


def _rate(group: Sequence[LabelledCaption]) -> RatedCaption:
    first = group[0]
    for other in group[1:]:
        same = (other.image.key, other.question) == (first.image.key, first.question)
        if not same or other.text != first.text:
            raise UserError(
                f"two captions have the id {first.id!r}, but not the same image, question and "
                "text: give each caption an id of its own; only annotators may differ"
            )
    return RatedCaption(
        sample=caption_sample(first.image, first.question, first.id),
        text=first.text,
        labels=tuple(one.sentences for one in group if one.sentences),
    )


def caption_sample(image: ImageSource, question: str, name: str = "") -> Sample:
    """The image and the question as a sample, of which prompts are made."""
    return Sample(
        id=name,
        image=image,
        question=question,
        kind="caption",
        provenance=Provenance(dataset="captions", split=""),
    )


def split_by_image(
    captions: Sequence[RatedCaption], heldout_size: int | None
) -> tuple[CaptionList, CaptionList]:
    """Training captions, and ``heldout_size`` held-out ones or a few more: images are not split.
    None: a fifth of all. A file always has the same held-out images, whatever the run's seed.
    Raises UserError where one of the two would be empty."""
    by_image: dict[str, list[RatedCaption]] = {}
    for caption in captions:
        by_image.setdefault(caption.sample.image.key, []).append(caption)
    size = HELDOUT_SHARE * len(captions) if heldout_size is None else heldout_size
    parts: dict[bool, list[RatedCaption]] = {True: [], False: []}
    images = list(by_image.values())
    for index in np.random.default_rng(0).permutation(len(images)):
        parts[len(parts[True]) < size] += images[index]
    if not parts[False] or not parts[True]:
        raise UserError(
            f"{heldout_size or 'a fifth'} of {len(captions)} captions cannot be held out, because "
            f"they are of {len(images)} images, and none may be in both parts: type a smaller "
            "data.heldout_size, or add captions of other images"
        )
    return group_captions(parts[False]), group_captions(parts[True])


def group_captions(captions: Iterable[RatedCaption]) -> CaptionList:
    """The captions by image and question."""
    groups: dict[tuple[str, str], list[RatedCaption]] = {}
    for caption in captions:
        key = (caption.sample.image.key, caption.sample.question)
        groups.setdefault(key, []).append(caption)
    return CaptionList(tuple(map(tuple, groups.values())))


def needs_reward_model(node: ConfigNode) -> Iterator[str]:
    """Stages that do not learn from captions; no held-out captions."""
    yield from too_small(node, {"heldout_size": 1, "num_workers": 0})
    pipeline = node.value("pipeline")
    if isinstance(pipeline, list) and pipeline != ["reward_model"]:
        yield (
            f"{node.path} is made of labelled captions, which only a reward model learns from: "
            "type pipeline=[reward_model], or another data="
        )


def yields_captions(node: ConfigNode) -> bool:
    """Whether the data of the config are labelled captions, as the function that ``data`` names
    states in the type that it returns."""
    call = node.targets.get("data")
    return call is not None and get_type_hints(call).get("return") is CaptionData


@config_hooks(problems=needs_reward_model, resource_options=frozenset({"num_workers"}))
def labelled_captions(
    *,
    path: str | list[str],
    heldout_size: int | None = None,
    num_workers: int = 0,
) -> CaptionData:
    """The captions of one or several JSONL files (``feedback.labels``). Raises UserError."""
    files = [path] if isinstance(path, str) else path
    captions = [one for file in files for one in read_captions(Path(file).expanduser())]
    train, heldout = split_by_image(rate_captions(captions), heldout_size)
    return CaptionData(train=train, heldout=heldout, num_workers=num_workers)
