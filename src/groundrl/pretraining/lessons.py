"""Scenes and questions for pretraining the embedded model, in the order of a curriculum."""

import itertools
from collections.abc import Callable
from dataclasses import dataclass, replace

import lightning as L
import numpy as np
import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset

from groundrl.policy.prompt import Prompt
from groundrl.pretraining.exercises import (
    POINTING_LESSONS,
    RELATING_LESSONS,
    SINGLE_RELATING_LESSONS,
    WORD_LESSONS,
    Exercise,
    conclusions,
    elsewhere,
    put,
    without_options,
)
from groundrl.questions.draws import NumpyDraws
from groundrl.questions.yes_no import related_cases, related_draft
from groundrl.records import ImageSource
from groundrl.world.graph import Look, Scene, SceneSpec, Subject
from groundrl.world.known import known_scene
from groundrl.world.quarters import AUGMENTED, QUARTERS_SIDE, four_quarters, nearness
from groundrl.world.questions import STATED_RELATIONS, questions_about, sample_of
from groundrl.world.render import Render, render

QUARTERED_SHARE = 0.2
"""Of the scenes of the last phase."""


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
    """One scene and the questions about it."""

    scene: Scene
    prompt: Prompt
    """The part of the prompt up to the end of the image."""
    exercises: tuple[Exercise, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Curriculum:
    """The largest number of objects in a scene: ``objects[k]`` from the share ``shares[k]`` on."""

    shares: tuple[float, ...] = (0.0, 0.08, 0.16, 0.24, 0.32)
    """Shares of the language steps, ascending from 0."""
    objects: tuple[int, ...] = (1, 2, 3, 4, 5)

    def max_objects(self, done: float) -> int:
        """The limit after the share ``done`` (0 to 1) of the language steps."""
        return [n for share, n in zip(self.shares, self.objects, strict=True) if done >= share][-1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Phases:
    """Steps of each phase of pretraining, and what a step holds."""

    tower: int
    naming: int
    reading: int
    relating: int
    scenes: int = 32
    """In a step of the first two phases; half as many in one of the others, which ask more."""
    naming_curriculum: Curriculum = Curriculum()
    relating_curriculum: Curriculum = Curriculum(shares=(0.0, 0.1, 0.2, 0.3), objects=(2, 3, 4, 5))

    def at(self, step: int) -> tuple[str, float]:
        """The phase of a step, and the share of it that is done, 0 to 1."""
        early = {"tower": self.tower, "naming": self.naming, "reading": self.reading}
        for name, steps in early.items():
            if step < steps:
                return name, step / steps
            step -= steps
        return "relating", min(1.0, step / max(1, self.relating))


class LessonStream(Dataset):
    """Item k is the batch of step k: a function of (seed, k) alone."""

    def __init__(
        self, encode_image: Callable[[ImageSource], Prompt], seed: int, phases: Phases
    ) -> None:
        self.encode_image = encode_image
        self.seed = seed
        self.phases = phases

    def __getitem__(self, step: int) -> list[Lesson]:
        phase, done = self.phases.at(step)
        first = step * self.phases.scenes
        if phase in ("reading", "relating"):
            most = self.phases.relating_curriculum.max_objects(done if phase == "relating" else 0.0)
            indices = range(first, first + max(1, self.phases.scenes // 2))
            make = self.reading_lesson if phase == "reading" else self.relating_lesson
            return [make(self.scene_spec(index, most)) for index in indices]
        # Only the language model needs the curriculum; the tower learns from full scenes at once.
        curriculum = self.phases.naming_curriculum
        most = max(curriculum.objects) if phase == "tower" else curriculum.max_objects(done)
        indices = range(first, first + self.phases.scenes)
        specs = [self.scene_spec(index, most) for index in indices]
        return [self.naming_lesson(spec, with_questions=phase == "naming") for spec in specs]

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

    def naming_lesson(self, spec: SceneSpec, with_questions: bool) -> Lesson:
        """Render the scene; questions for the reasoning alone and for the answer alone."""
        rendered = render(spec)
        exercises = ()
        if with_questions:
            # The other kinds need two objects.
            single = len(rendered.scene.objects) == 1
            pointing = ("describe", "locate") if single else POINTING_LESSONS
            words = ("color", "category", "count", "exists") if single else WORD_LESSONS
            exercises = (
                *without_options(rendered.scene, pointing, 2, "reasoning"),
                *without_options(rendered.scene, words, 4, "answer"),
            )
        return self.lesson(rendered, Image.fromarray(rendered.image), exercises)

    def reading_lesson(self, spec: SceneSpec) -> Lesson:
        """What follows from reasoning, alone."""
        rendered = render(spec)
        exercises = tuple(conclusions(rendered.scene, 8))
        return self.lesson(rendered, Image.fromarray(rendered.image), exercises)

    def relating_lesson(self, spec: SceneSpec) -> Lesson:
        """Render the scene; questions that are answered after reasoning, and a few of the naming
        lesson, so that it is not forgotten."""
        rendered = render(spec)
        scene = rendered.scene
        rng = np.random.default_rng((spec.seed, spec.index))
        if rng.random() < QUARTERED_SHARE:
            quartered = self.quartered_lesson(rendered, NumpyDraws(rng))
            if quartered is not None:
                return quartered
        kinds = SINGLE_RELATING_LESSONS if len(scene.objects) == 1 else RELATING_LESSONS
        exercises = (
            *(put(sample, rng) for sample in questions_about(scene, kinds, 4)),
            *without_options(scene, ("describe", "locate", "locate"), 1, "reasoning"),
            *without_options(scene, ("color", "category"), spec.index % 2, "answer"),
            *elsewhere(scene, rng),
            *conclusions(scene, 2),
        )
        return self.lesson(rendered, Image.fromarray(rendered.image), exercises)

    def quartered_lesson(self, rendered: Render, draws: NumpyDraws) -> Lesson | None:
        """Statements about two objects of a scene that is shown with its depth and where they are;
        None where no relation between two objects is certain."""
        image = known_scene(rendered.scene)
        cases = related_cases(image, STATED_RELATIONS)
        pairs = sorted({(a.index, b.index) for found in cases.values() for a, _, b in found})
        if not pairs:
            return None
        pair = draws.choice(pairs)
        a, b = (image.objects[i] for i in pair)
        about = [
            [case for case in cases[verdict] if (case[0], case[2]) == (a, b)]
            for verdict in (True, False)
        ]
        drafts = [
            related_draft(*draws.choice(found), image, draws, stated=True)
            for found in about
            if found
        ]
        samples = [sample_of(draft, rendered.scene.spec, "statement") for draft in drafts]
        exercises = tuple(
            Exercise(
                sample=replace(sample, question=f"{AUGMENTED} {sample.question}", options=()),
                part="both",
            )
            for sample in samples
        )
        rgb = Image.fromarray(rendered.image)
        page = four_quarters(rgb, nearness(rendered.depth), (a.box, b.box), QUARTERS_SIDE)
        return self.lesson(rendered, page, exercises)

    def lesson(
        self, rendered: Render, pixels: Image.Image, exercises: tuple[Exercise, ...]
    ) -> Lesson:
        """The lesson with the encoded image."""
        spec = rendered.scene.spec
        image = RenderedImage(key=f"lesson:{spec.seed}:{spec.index}", pixels=pixels)
        return Lesson(scene=rendered.scene, prompt=self.encode_image(image), exercises=exercises)


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
