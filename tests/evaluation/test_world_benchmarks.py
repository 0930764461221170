"""The world's benchmarks: questions whose truth is in the scenes, protocols of the published."""

from collections import Counter
from typing import Any

import pytest
from replies import figures, oracle, reply

from groundrl.evaluation.benchmarks.base import Benchmark
from groundrl.evaluation.benchmarks.world import (
    WORLD_WORDS,
    WorldMME,
    WorldREC,
    WorldRel3D,
    WorldVQA,
    WorldVSR,
)
from groundrl.evaluation.benchmarks.world_caption import WorldCaption
from groundrl.evaluation.benchmarks.world_pope import WorldPOPE
from groundrl.grammar import get_grammar
from groundrl.metrics import EVALUATION
from groundrl.records import Form, Sample

ALL: list[Any] = [WorldVQA, WorldREC, WorldPOPE, WorldMME, WorldVSR, WorldRel3D, WorldCaption]


def worked(sample: Sample) -> str:
    """The rationale, and the answer that is right."""
    grammar = get_grammar("inline_box")
    boxes = " ".join(grammar.render_segments((one,)) for one in sample.groundings)
    return f"<think>{boxes}</think><answer>{', '.join(sample.answers) or 'there'}</answer>"


@pytest.mark.slow
@pytest.mark.parametrize("kind", ALL)
def test_worked_answers_score_the_maximum_and_silence_nothing(kind: Any) -> None:
    benchmark: Benchmark = kind(size=24)
    samples = benchmark.questions().samples
    assert len(samples) == (48 if kind in (WorldMME, WorldPOPE) else 24)
    assert len({sample.id for sample in samples}) == len(samples)
    right, silent = figures(benchmark, samples, worked), figures(benchmark, samples, lambda _: "")
    assert right["n"] == len(samples)
    if kind is WorldCaption:
        assert (right["chair_i"], right["chair_s"], right["recall"]) == (0, 0, 1)
        assert silent["recall"] == 0
        return
    assert right["acc"] == 1
    assert silent["acc"] == (0.5 if kind is WorldPOPE else 0)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ALL)
def test_questions_are_a_function_of_the_seed(kind: Any) -> None:
    first = kind(size=6).questions().samples
    assert kind(size=6).questions().samples == first
    assert kind(size=8).questions().samples[:6] == first[:6]
    assert kind(size=6, seed=1).questions().samples != first


@pytest.mark.parametrize("kind", ALL)
def test_only_multiple_choice_shows_options_as_in_what_is_published(kind: Any) -> None:
    samples = kind(size=6).questions().samples
    assert {bool(sample.options) for sample in samples} == {kind is WorldVQA}


@pytest.mark.slow
def test_half_of_the_statements_of_each_relation_are_true() -> None:
    samples = WorldVSR(size=48).questions().samples
    counts = Counter((sample.kind, sample.answers[0]) for sample in samples)
    assert len(counts) == 12
    assert set(counts.values()) == {4}
    assert figures(WorldVSR(), samples, lambda _: "true")["acc"] == 0.5


@pytest.mark.slow
def test_pope_asks_half_of_its_questions_about_what_is_not_there() -> None:
    variants = ("random", "popular", "adversarial")
    asked = {v: WorldPOPE(size=40, variant=v).questions().samples for v in variants}
    for samples in asked.values():
        assert [sample.answers[0] for sample in samples] == ["yes", "no"] * 40
        assert all(bool(s.groundings) is (s.answers == ("yes",)) for s in samples)
        assert samples[::2] == asked["random"][::2]
        assert all(a.image == b.image for a, b in zip(samples[::2], samples[1::2], strict=True))
    scenes = [scene for _, scene in zip(range(40), WorldPOPE().scenes(), strict=False)]
    held = [{thing.category for thing in scene.objects} for _, scene in scenes]
    counts = Counter(name for names in held for name in names)
    for row, sample in enumerate(asked["popular"][1::2]):
        noun = sample.question.removesuffix("?").split()[-1]
        assert noun not in held[row]
        assert counts[noun] == max(n for name, n in counts.items() if name not in held[row])
    # Of tables, adversarial questions ask about what stands on tables.
    for row, sample in enumerate(asked["adversarial"][1::2]):
        noun = sample.question.removesuffix("?").split()[-1]
        near = sum(len(one & held[row]) for one in held if noun in one)
        every = {name: sum(len(o & held[row]) for o in held if name in o) for name in counts}
        assert near == max(n for name, n in every.items() if name not in held[row])


def test_mme_asks_each_thing_once_with_yes_and_once_with_no() -> None:
    samples = WorldMME(size=8).questions().samples
    assert [s.answers[0] for s in samples] == ["yes", "no"] * 8
    assert all(a.image == b.image for a, b in zip(samples[::2], samples[1::2], strict=True))
    assert {s.kind for s in samples} == {"existence", "count", "position", "color"}
    assert figures(WorldMME(), samples, oracle)["perception"] == 800
    assert figures(WorldMME(), samples, lambda _: "yes")["perception"] == 200


def test_rel3d_shows_scene_depth_and_both_objects_in_four_quarters() -> None:
    sample = WorldRel3D(size=1).questions().samples[0]
    plain = WorldRel3D(size=1, augmented=False).questions().samples[0]
    page = sample.image.load()
    assert page.size == (320, 320)
    assert page.crop((0, 0, 160, 160)).tobytes() == plain.image.load().tobytes()
    # The statement names the first object first, the reasoning looks at the second one first.
    for left, thing in zip((0, 160), sample.groundings[::-1], strict=True):
        mask = page.crop((left, 160, left + 160, 320)).convert("L")
        assert mask.getbbox() == tuple(map(int, thing.box.corners))
    assert "four quarters" in sample.question
    assert "four quarters" not in plain.question


@pytest.mark.slow
def test_many_boxes_do_not_point() -> None:
    benchmark = WorldREC(size=12)
    samples = benchmark.questions().samples
    corners = [(x, y) for x in range(0, 120, 20) for y in (60, 90)]
    spam = " ".join(f"[{x},{y},{x + 40},{y + 40} thing]" for x, y in corners)
    spammed = figures(benchmark, samples, lambda _: f"<think>{spam}</think><answer>x</answer>")
    assert spammed["acc_50"] == spammed["iou"] == 0
    assert spammed["several_boxes"] == 1


def test_a_conclusion_outside_the_reasoning_is_the_declared_box() -> None:
    benchmark = WorldREC(size=1)
    (sample,) = benchmark.questions().samples
    box = ",".join(f"{value:.0f}" for value in sample.groundings[0].box.corners)
    text = f"<think>[0,0,9,9 a] [0,0,5,5 b]</think><answer>[{box} thing]</answer>"
    assert benchmark.score(reply(sample, text))["box_iou"] == 1


def test_captions_name_classes_by_their_words_and_plurals() -> None:
    named = WORLD_WORDS.mentions("Two Cups, a bookshelf; the buses and a bus!")
    assert named == ["cup", "bus", "bus"]
    assert WorldCaption().form is Form.TEXT


@pytest.mark.parametrize("kind", ALL)
def test_every_figure_is_declared(kind: Any) -> None:
    benchmark: Benchmark = kind(size=4)
    found = figures(benchmark, benchmark.questions().samples, worked)
    names = {name.rpartition("/")[2] for name in found}
    plain = {n.removesuffix("_low").removesuffix("_high") for n in names}
    assert plain <= EVALUATION.keys() | benchmark.figure_infos.keys()
