"""Many images at once: in order, in constant memory, with a server that is never idle."""

import gc
import threading
import time
import tracemalloc
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

import pytest
from synthesis_views import FixedDetector, FixedTeacher, KeepingVerifier, scene_image

from groundrl.detectors.records import InputImage
from groundrl.errors import UserError
from groundrl.running.micro_batcher import MicroBatcher
from groundrl.synthesis.annotate import AnnotationResult, Annotator
from groundrl.synthesis.annotations import Caption
from groundrl.synthesis.roles import ImageView, Teacher, Verifier
from groundrl.synthesis.workers import (
    IMAGES_AHEAD,
    ImageTask,
    add_micro_batching,
    annotate_in_order,
)


@dataclass
class Images:
    """Endless, and it says how many were taken."""

    size: int
    name: str = "many"
    taken: int = 0
    skipped: dict[str, str] = field(default_factory=dict)

    def __len__(self) -> int:
        return self.size

    def __iter__(self) -> Iterator[InputImage]:
        for index in range(self.size):
            self.taken += 1
            yield scene_image(index)


def annotator(teacher: Teacher, verifier: Verifier | None = None) -> Annotator:
    return Annotator(
        detector=FixedDetector(),
        teacher=teacher,
        verifier=verifier or KeepingVerifier(),
    )


def tasks(images: Images) -> Iterator[ImageTask]:
    return ((image, {}) for image in images)


def at_work(
    asked: Annotator, waiting: Iterator[ImageTask], concurrency: int
) -> Generator[AnnotationResult]:
    with ThreadPoolExecutor(concurrency) as pool:
        yield from annotate_in_order(asked, waiting, pool, IMAGES_AHEAD * concurrency)


def test_results_are_in_order_and_images_are_consumed_as_needed() -> None:
    images = Images(size=10_000)
    found = at_work(annotator(FixedTeacher()), tasks(images), 4)
    seen = [next(found).image.id for _ in range(50)]
    assert seen == [str(index) for index in range(50)]
    assert images.taken <= 50 + 4 * IMAGES_AHEAD
    found.close()
    taken = images.taken
    time.sleep(0.05)
    assert images.taken == taken


@pytest.mark.slow
def test_a_server_is_kept_busy() -> None:
    pause, threads, count = 0.1, 16, 160
    teacher = FixedTeacher(pause=pause)
    start = time.perf_counter()
    asked = annotator(teacher, KeepingVerifier(pause=pause))
    found = [*at_work(asked, tasks(Images(size=count)), threads)]
    seconds = time.perf_counter() - start
    assert len(found) == count
    assert teacher.at_once <= threads
    # One caption and two verdicts after each other; generous, since the machine may be busy.
    assert seconds < 2 * 3 * pause * count / threads


@pytest.mark.slow
def test_memory_does_not_grow_with_the_number_of_images() -> None:
    found = at_work(annotator(FixedTeacher()), tasks(Images(size=500)), 4)
    held: list[int] = []
    tracemalloc.start()
    for number, _ in enumerate(found):
        if number in (100, 400):
            gc.collect()
            held.append(tracemalloc.get_traced_memory()[0])
    tracemalloc.stop()
    # An image with its results takes some 6 kB.
    assert held[1] - held[0] < 100_000


@pytest.mark.slow
def test_one_slow_image_blocks_no_other_thread() -> None:
    @dataclass
    class SlowFirst(FixedTeacher):
        def __call__(self, views: Sequence[ImageView]) -> list[Caption | None]:
            self.pause = 0.5 if views[0].image.id == "0" else 0.01
            return FixedTeacher.__call__(self, views)

    start = time.perf_counter()
    list(at_work(annotator(SlowFirst()), tasks(Images(size=8 * IMAGES_AHEAD)), 8))
    assert time.perf_counter() - start < 1.5


@dataclass
class Model(FixedTeacher):
    """Computes in this process."""

    batch_size: int = 8
    sizes: list[int] = field(default_factory=list)
    threads: set[int] = field(default_factory=set)

    def __call__(self, views: Sequence[ImageView]) -> list[Caption | None]:
        self.sizes.append(len(views))
        self.threads.add(threading.get_ident())
        return FixedTeacher.__call__(self, views)


@pytest.mark.slow
def test_a_component_with_a_batch_size_is_called_with_batches_by_one_thread() -> None:
    model = Model(pause=0.02)
    found = [*at_work(add_micro_batching(annotator(model)), tasks(Images(size=40)), 8)]
    alone = [annotator(FixedTeacher())(scene_image(index), {}) for index in range(40)]
    assert [one.annotated for one in found] == [one.annotated for one in alone]
    assert model.at_once == 1
    assert len(model.threads) == 1
    assert max(model.sizes) == 8
    assert sum(model.sizes) / len(model.sizes) > 4


def test_micro_batching_hides_no_member_of_a_component() -> None:
    model = Model(pause=0.02)
    assert add_micro_batching(annotator(model)).teacher is model


def test_an_error_in_a_batch_reaches_all_its_callers() -> None:
    def fails(values: Sequence[int]) -> list[int]:
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        MicroBatcher(fails, 4)([1, 2, 3])


def test_an_image_is_unfinished_without_its_teacher_and_its_results_are_kept() -> None:
    teacher = FixedTeacher(down={"1"})
    found = [*at_work(annotator(teacher), tasks(Images(size=3)), 2)]
    assert [one.annotated is None for one in found] == [False, True, False]
    assert [key.stage for key in found[1].results] == ["detect"]
    again = annotator(FixedTeacher())(scene_image(1), found[1].results)
    assert again.annotated is not None
    assert "detect" not in {key.stage for key in again.results}


def test_the_results_of_a_moved_image_are_reused() -> None:
    known = annotator(FixedTeacher())(scene_image(1), {})
    moved = annotator(FixedTeacher())(replace(scene_image(1), id="elsewhere/1.png"), known.results)
    assert moved.results == {}
    assert moved.annotated is not None
    assert moved.annotated.image.id == "elsewhere/1.png"


def test_a_refusal_is_returned_as_an_error() -> None:
    class Refuses(FixedTeacher):
        def __call__(self, views: Sequence[ImageView]) -> list[Caption | None]:
            raise UserError("the key has expired")

    outcome = annotator(Refuses())(scene_image(0), {})
    assert outcome.annotated is None
    assert str(outcome.error) == "the key has expired"
