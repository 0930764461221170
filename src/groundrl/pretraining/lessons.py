"""Scenes and questions for pretraining the embedded model, in the order of a curriculum."""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import lightning as L
import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset

from groundrl.policy.prompt import Prompt
from groundrl.records import ImageSource, Sample
from groundrl.world.graph import Look, Scene, SceneSpec, Subject
from groundrl.world.questions import questions_about
from groundrl.world.render import render

POINTING_LESSONS = (
    "describe",
    "locate",
    "locate",
    "locate",
    "side",
    "depth",
    "multi_color",
    "relation_which",
)
"""Kinds answered by the rationale alone; a kind listed twice is asked twice as often."""
WORD_LESSONS = ("color", "color", "category", "side", "depth", "count", "exists")
"""Kinds answered by words alone. "color" is listed twice: it needs finding an object by its class,
which is learned later than finding it by its colour."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderedImage:
    """A rendered image of a scene; an ``ImageSource``."""

    key: str
    pixels: Image.Image

    @property
    def width(self) -> int:
        """Pixels."""
        return self.pixels.width

    @property
    def height(self) -> int:
        """Pixels."""
        return self.pixels.height

    def load(self) -> Image.Image:
        """The RGB image."""
        return self.pixels


@dataclass(frozen=True, slots=True, kw_only=True)
class Lesson:
    """One scene and the questions about it, without options."""

    scene: Scene
    prompt: Prompt
    """The part of the prompt up to the end of the image."""
    pointing: tuple[Sample, ...]
    """Questions whose answer has boxes."""
    words: tuple[Sample, ...]
    """Questions whose answer has words only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Curriculum:
    """The largest number of objects in a scene: ``objects[k]`` from the share ``shares[k]`` on."""

    shares: tuple[float, ...] = (0.0, 0.08, 0.16, 0.24, 0.32)
    """Shares of the language steps, ascending from 0."""
    objects: tuple[int, ...] = (1, 2, 3, 4, 5)

    def max_objects(self, done: float) -> int:
        """The limit after the share ``done`` (0 to 1) of the language steps."""
        return [n for share, n in zip(self.shares, self.objects, strict=True) if done >= share][-1]


class LessonStream(Dataset):
    """Item k is the batch of step k: a function of (seed, k) alone."""

    def __init__(
        self,
        encode_image: Callable[[ImageSource], Prompt],
        seed: int,
        scenes_per_step: int,
        pointing_turns: int,
        word_turns: int,
        tower_steps: int,
        language_steps: int,
        curriculum: Curriculum,
    ) -> None:
        self.encode_image = encode_image
        self.seed = seed
        self.scenes_per_step = scenes_per_step
        self.pointing_turns = pointing_turns
        self.word_turns = word_turns
        self.tower_steps = tower_steps
        self.language_steps = language_steps
        self.curriculum = curriculum

    def __getitem__(self, step: int) -> list[Lesson]:
        tower = step < self.tower_steps
        done = (step - self.tower_steps) / max(1, self.language_steps)
        # Only the language model needs the curriculum; the tower learns from full scenes at once.
        most = max(self.curriculum.objects) if tower else self.curriculum.max_objects(done)
        first = step * self.scenes_per_step
        specs = [self.scene_spec(first + i, most) for i in range(self.scenes_per_step)]
        return [self.make_lesson(spec, with_questions=not tower) for spec in specs]

    def scene_spec(self, index: int, most: int) -> SceneSpec:
        """The scene number ``index``; subjects and looks alternate."""
        return SceneSpec(
            seed=self.seed,
            index=index,
            subject=tuple(Subject)[index % 2],
            look=tuple(Look)[index // 2 % 2],
            min_objects=1 if most < 5 else 2,
            max_objects=most,
        )

    def make_lesson(self, spec: SceneSpec, with_questions: bool) -> Lesson:
        """Render the scene once and write questions about it."""
        rendered = render(spec)
        image = RenderedImage(
            key=f"lesson:{spec.seed}:{spec.index}", pixels=Image.fromarray(rendered.image)
        )

        def write_questions(kinds: Sequence[str], count: int) -> tuple[Sample, ...]:
            samples = questions_about(rendered.scene, kinds, count) if with_questions else []
            return tuple(replace(sample, options=()) for sample in samples)

        # The other kinds need two objects.
        single = len(rendered.scene.objects) == 1
        pointing = ("describe", "locate") if single else POINTING_LESSONS
        words = ("color", "category", "count", "exists") if single else WORD_LESSONS
        return Lesson(
            scene=rendered.scene,
            prompt=self.encode_image(image),
            pointing=write_questions(pointing, self.pointing_turns),
            words=write_questions(words, self.word_turns),
        )


class LessonDataModule(L.LightningDataModule):
    """Gives a LessonStream to the trainer; a resumed run continues at its step."""

    def __init__(self, stream: LessonStream, num_workers: int = 1) -> None:
        super().__init__()
        self.stream = stream
        self.num_workers = num_workers
        self.start_step = 0

    def train_dataloader(self) -> DataLoader:
        """Batches of whole steps from ``start_step`` on, without end: the trainer stops."""
        return DataLoader(
            self.stream,
            batch_size=None,
            sampler=itertools.count(self.start_step),
            num_workers=self.num_workers,
        )

    def transfer_batch_to_device(
        self, batch: list[Lesson], device: torch.device, dataloader_idx: int
    ) -> list[Lesson]:
        """Left on the CPU; Lightning would try to write tensors into the frozen records."""
        return batch

    def state_dict(self) -> dict[str, int]:
        """The number of finished steps; batches that were only prefetched do not count."""
        assert self.trainer is not None
        return {"start_step": self.trainer.global_step}

    def load_state_dict(self, state_dict: dict[str, int]) -> None:
        """Continue after the finished steps."""
        self.start_step = state_dict["start_step"]
