"""Map-style data sets of Samples: the embedded world, and lists read from files."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar, get_args, runtime_checkable

import numpy as np

from groundrl.data.box_questions import KINDS, ask_all
from groundrl.data.detection.base import DetectionSet, Layout
from groundrl.data.detection.classes import ClassOptions
from groundrl.data.problems import Treatment
from groundrl.data.schema import read_jsonl, read_parquet
from groundrl.data.targets import Target, check_boxed_share, worked_answer
from groundrl.errors import UserError
from groundrl.questions.sentences import Order
from groundrl.records import Sample
from groundrl.world.graph import Look, SceneSpec, Subject
from groundrl.world.questions import ANSWER_KINDS, sample_question

T = TypeVar("T")


@runtime_checkable
class ItemSource(Protocol):
    """What a DataLoader needs: a length and an item for each index below it."""

    def __len__(self) -> int: ...
    def __getitem__(self, index: int) -> Any: ...


@runtime_checkable
class SampleSource(Protocol):
    """A source whose items are samples."""

    def __len__(self) -> int: ...
    def __getitem__(self, index: int) -> Sample: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class WorldScenes(ABC):
    """One sample about each of ``size`` scenes: sample i is a function of (seed, i)."""

    seed: int
    size: int
    subject: str = Subject.TABLETOP
    look: str = Look.PLAIN
    min_objects: int = 3
    max_objects: int = 5
    image_size: int = 160
    """Width and height of the image, pixels."""
    target: Target = "boxed_rationale"
    """What worked answers consist of."""
    boxed_share: float = 1.0
    """See ``worked_answer``."""

    def __post_init__(self) -> None:
        """Raises UserError for an unknown subject or look, and for a share outside 0 .. 1."""
        check_boxed_share(self.boxed_share)
        for option, words in (("subject", Subject), ("look", Look)):
            check_word(option, getattr(self, option), words)

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, index: int) -> Sample:
        """Raises IndexError outside 0 .. size - 1."""
        if not 0 <= index < self.size:
            raise IndexError(f"sample {index} of {self.size}")
        return worked_answer(self.sample(self.spec(index)), self.target, self.boxed_share)

    @abstractmethod
    def sample(self, spec: SceneSpec) -> Sample:
        """The sample about a scene, with all of its rationale."""

    def spec(self, index: int) -> SceneSpec:
        """The scene of sample ``index``."""
        return SceneSpec(
            seed=self.seed,
            index=index,
            subject=Subject(self.subject),
            look=Look(self.look),
            width=self.image_size,
            height=self.image_size,
            min_objects=self.min_objects,
            max_objects=self.max_objects,
        )


def check_word(option: str, value: str, words: Iterable[str]) -> None:
    """Raises UserError where the value of an option is none of these words."""
    if value not in set(words):
        raise UserError(f"{option}={value} is unknown; choose from {', '.join(words)}")


@dataclass(frozen=True, slots=True, kw_only=True)
class WorldDataset(WorldScenes):
    """Questions about the embedded world."""

    kinds: Sequence[str] = ANSWER_KINDS
    rationale: Order = "look_first"
    """Whether worked answers point before they conclude."""

    def __post_init__(self) -> None:
        """Raises UserError for an unknown subject, look or order, and for a wrong share."""
        WorldScenes.__post_init__(self)
        check_word("rationale", self.rationale, get_args(Order))

    def sample(self, spec: SceneSpec) -> Sample:
        """A question of one of ``kinds``."""
        return sample_question(spec, self.kinds, order=self.rationale)


@dataclass(frozen=True, slots=True)
class SampleList:
    """Samples in memory; the images stay on disk until they are loaded."""

    samples: tuple[Sample, ...]

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> Sample:
        return self.samples[index]

    def take(self, size: int | None, seed: int) -> "SampleList":
        """``size`` samples drawn by ``seed``, in their old order; all of them for None."""
        if size is None or size >= len(self):
            return self
        chosen = np.random.default_rng(seed).choice(len(self), size=size, replace=False)
        return SampleList(tuple(self.samples[int(index)] for index in sorted(chosen)))


@runtime_checkable
class PartlyKnown(Protocol):
    """A source of samples that are read when they are needed, some of them beforehand."""

    @property
    def known(self) -> SampleList:
        """Those that were read; an image may be known by its key and size only."""
        ...

    @property
    def stamp(self) -> str:
        """Changes when a sample of the source does."""
        ...


def known_samples(source: ItemSource) -> SampleList | None:
    """The samples of which everything is known before training; None for the world's."""
    if isinstance(source, PartlyKnown):
        return source.known
    return source if isinstance(source, SampleList) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoded(Generic[T]):
    """Pairs (item, encode(item)); loader processes do the encoding."""

    source: ItemSource
    encode: Callable[[Any], T]

    def __len__(self) -> int:
        return len(self.source)

    def __getitem__(self, index: int) -> tuple[Any, T]:
        item = self.source[index]
        return item, self.encode(item)


def detections(
    layout: Layout,
    root: str | Path,
    split: str | None,
    kinds: Sequence[str] = KINDS,
    seed: int = 0,
    rationale: Order = "look_first",
) -> SampleList:
    """Questions about the boxes of a detection data set, drawn by ``seed``.

    ``split`` is a key of a YOLO config (train), part of a COCO annotation file's name (train2017),
    a list in VOC's ImageSets/Main or a folder, whatever the layout calls so; None takes everything.
    Raises UserError.
    """
    return box_questions(layout.read(root, split), kinds, seed, rationale)


def box_questions(
    found: DetectionSet,
    kinds: Sequence[str] = KINDS,
    seed: int = 0,
    rationale: Order = "look_first",
    classes: ClassOptions | None = None,
) -> SampleList:
    """Questions about a data set that has been read. Raises UserError where there are none."""
    return SampleList(
        tuple(ask_all(found, seed=seed, kinds=kinds, order=rationale, classes=classes))
    )


def sample_file(path: str | Path, unreadable: Treatment = "error") -> SampleList:
    """Samples of our own schema, ``.jsonl`` or ``.parquet``; ``unreadable``: what is done with
    damaged rows and those without a whole image. Raises UserError."""
    readers = {".jsonl": read_jsonl, ".parquet": read_parquet}
    suffix = Path(path).suffix
    if suffix not in readers:
        raise UserError(f"{path}: expected a file that ends in {' or '.join(readers)}.")
    read = readers[suffix](
        path, skip_unreadable=unreadable == "skip", skip_option="data.unreadable=skip"
    )
    return SampleList(tuple(read))
