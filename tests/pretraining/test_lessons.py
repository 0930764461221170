"""Lessons: which questions are asked in each phase of pretraining."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from pretraining_phases import PHASES

from groundrl.pretraining.exercises import (
    CONCLUSION_LESSONS,
    DIRECT_INSTRUCTIONS,
    EXPLAIN,
    RELATING_LESSONS,
    put,
)
from groundrl.pretraining.lessons import Curriculum, LessonStream
from groundrl.records import Grounding
from groundrl.world.graph import Look, SceneSpec, Subject
from groundrl.world.quarters import AUGMENTED, QUARTERS_SIDE
from groundrl.world.questions import sample_question


def test_the_curriculum_grows_with_the_share_done() -> None:
    curriculum = Curriculum(shares=(0.0, 0.5, 0.8), objects=(1, 3, 5))
    assert [curriculum.max_objects(done) for done in (0.0, 0.4, 0.5, 0.79, 0.8, 1.0)] == [
        1,
        1,
        3,
        3,
        5,
        5,
    ]


def test_lessons_are_a_function_of_the_step(stream: Callable[..., LessonStream]) -> None:
    first, second = stream()[7], stream()[7]
    assert [lesson.scene for lesson in first] == [lesson.scene for lesson in second]
    assert [lesson.exercises for lesson in first] == [lesson.exercises for lesson in second]
    assert [lesson.scene for lesson in first] != [lesson.scene for lesson in stream()[8]]


def test_subjects_and_looks_take_turns_and_objects_follow_the_curriculum(
    stream: Callable[..., LessonStream],
) -> None:
    specs = [lesson.scene.spec for lesson in stream()[2]]
    assert {(spec.subject, spec.look) for spec in specs} == {(s, k) for s in Subject for k in Look}
    assert all(len(lesson.scene.objects) == 1 for lesson in stream()[2])
    assert (
        max(len(lesson.scene.objects) for lesson in stream(phases=replace(PHASES, scenes=12))[8])
        > 2
    )
    # The tower's lesson needs no words.
    assert not any(lesson.exercises for lesson in stream()[0])


def test_each_phase_follows_the_one_before() -> None:
    assert [PHASES.at(step) for step in (0, 1, 2, 11, 12, 13, 14, 19, 24, 99)] == [
        *(("tower", 0.0), ("tower", 0.5), ("naming", 0.0), ("naming", 0.9)),
        *(("reading", 0.0), ("reading", 0.5), ("relating", 0.0), ("relating", 0.5)),
        *(("relating", 1.0), ("relating", 1.0)),
    ]


def test_verdicts_are_read_from_reasoning_about_objects_that_are_not_there(
    stream: Callable[..., LessonStream],
) -> None:
    lessons = stream(phases=replace(PHASES, scenes=24))[12]
    asked = [one for lesson in lessons for one in lesson.exercises]
    assert {one.part for one in asked} == {"conclusion"}
    assert {one.sample.kind for one in asked} == {*CONCLUSION_LESSONS}
    true = false = strange = 0
    for lesson in lessons:
        boxes = {one.box: one.label for one in lesson.scene.objects}
        for one in lesson.exercises:
            true += one.sample.answers == ("yes",)
            false += one.sample.answers == ("no",)
            for part in one.sample.rationale or ():
                strange += isinstance(part, Grounding) and boxes[part.box] != part.label
    assert min(true, false) > 10
    assert strange > 50


def test_the_last_phase_asks_for_relations_and_rehearses_names(
    stream: Callable[..., LessonStream],
) -> None:
    lessons = [lesson for step in range(14, 44) for lesson in stream()[step]]
    asked = [one for lesson in lessons for one in lesson.exercises]
    kinds = {one.sample.kind for one in asked}
    assert {*RELATING_LESSONS, "describe", "locate"} <= kinds
    assert {one.part for one in asked} == {"reasoning", "answer", "both", "conclusion"}
    # Options and instructions ask for the answer alone, plain questions and requests to explain for
    # the reasoning too.
    for one in asked:
        explained = one.sample.question.startswith(EXPLAIN)
        if (one.sample.options and not explained) or "\n" in one.sample.question:
            assert one.part == "answer"
        if explained:
            assert one.sample.options
            assert one.part == "both"
    quartered = [lesson for lesson in lessons if lesson.prompt.sizes.width == QUARTERS_SIDE]
    assert 0 < len(quartered) < len(lessons) / 3
    for lesson in quartered:
        for one in lesson.exercises:
            assert one.sample.question.startswith(f"{AUGMENTED} True or false: ")
            assert {g.box for g in one.sample.groundings} <= {o.box for o in lesson.scene.objects}


def test_a_question_is_put_in_every_form() -> None:
    sample = sample_question(SceneSpec(seed=0, index=0), ["presence"])
    rng = np.random.default_rng(0)
    forms = [put(sample, rng) for _ in range(200)]
    asked = {(one.sample.question, one.sample.options, one.part) for one in forms}
    instructions = DIRECT_INSTRUCTIONS[frozenset(("yes", "no"))]
    assert asked == {
        (sample.question, (), "both"),
        (sample.question, sample.options, "answer"),
        *((f"{request} {sample.question}", sample.options, "both") for request in EXPLAIN),
        *((f"{sample.question}\n{line}", (), "answer") for line in instructions),
    }
