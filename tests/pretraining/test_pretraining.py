"""Pretraining: the dense lesson, the curriculum, and a whole run in small."""

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, cast

import lightning as L
import pytest
import torch
from torch import nn
from transformers import AutoModelForImageTextToText, AutoProcessor

from groundrl.boxes import Box, Frame
from groundrl.grammar import get_grammar
from groundrl.policy.policy import Policy
from groundrl.pretraining.dense_lesson import CLASS_NAMES, COLOR_NAMES, DenseHead, dense_targets
from groundrl.pretraining.lessons import Curriculum, LessonStream
from groundrl.pretraining.make_embedded import Pretraining
from groundrl.pretraining.pretrain import PretrainModule, one_cycle
from groundrl.prompts import PromptTemplate
from groundrl.stages.fit import StagePlan
from groundrl.world.graph import Look, Subject

CPU = torch.device("cpu")


@pytest.fixture
def stream(make_policy: Callable[..., Policy]) -> Callable[..., LessonStream]:
    policy = make_policy(None)

    def make(**changes: Any) -> LessonStream:
        settings: dict[str, Any] = {
            "encode_image": policy.encode.image_prefix,
            "seed": 3,
            "scenes_per_step": 4,
            "pointing_turns": 2,
            "word_turns": 3,
            "tower_steps": 2,
            "language_steps": 10,
            "curriculum": Curriculum(shares=(0.0, 0.5), objects=(1, 5)),
        }
        return LessonStream(**settings | changes)

    return make


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


@pytest.mark.slow
def test_lessons_are_a_function_of_the_step(stream: Callable[..., LessonStream]) -> None:
    first, second = stream()[7], stream()[7]
    assert [lesson.scene for lesson in first] == [lesson.scene for lesson in second]
    assert [s.question for lesson in first for s in (*lesson.pointing, *lesson.words)] == [
        s.question for lesson in second for s in (*lesson.pointing, *lesson.words)
    ]
    assert [lesson.scene for lesson in first] != [lesson.scene for lesson in stream()[8]]


@pytest.mark.slow
def test_subjects_and_looks_take_turns_and_objects_follow_the_curriculum(
    stream: Callable[..., LessonStream],
) -> None:
    specs = [lesson.scene.spec for lesson in stream()[2]]
    assert {(spec.subject, spec.look) for spec in specs} == {(s, k) for s in Subject for k in Look}
    assert all(len(lesson.scene.objects) == 1 for lesson in stream()[2])
    assert max(len(lesson.scene.objects) for lesson in stream(scenes_per_step=12)[8]) > 2
    assert not any(
        lesson.pointing or lesson.words for lesson in stream()[0]
    )  # the tower's lesson needs no words


def test_the_cell_under_an_objects_centre_learns_its_class_colour_and_box(
    stream: Callable[..., LessonStream],
) -> None:
    lesson = stream()[0][0]
    targets = dense_targets([lesson.scene, lesson.scene], [lesson.prompt, lesson.prompt], CPU)
    half = len(targets.cell) // 2
    assert (targets.cell[half:] - targets.cell[:half]).tolist() == [25] * half
    for row in range(half):
        cell = int(targets.cell[row])
        owner = next(
            thing
            for thing in lesson.scene.objects
            if int(thing.box.center[1] / 32) * 5 + int(thing.box.center[0] / 32) == cell
        )
        assert CLASS_NAMES[targets.category[row]] == owner.category
        assert COLOR_NAMES[targets.color[row]] == owner.color
        assert targets.center[row].mul(160).tolist() == [cell % 5 * 32 + 16, cell // 5 * 32 + 16]
        expected = Box(
            **dict(zip(("x1", "y1", "x2", "y2"), targets.box[row].mul(160).tolist(), strict=True)),
            frame=Frame.PIXEL,
        )
        assert expected.corners == pytest.approx(owner.box.corners, abs=1e-3)


@pytest.mark.slow
def test_the_dense_head_can_learn_its_lesson(stream: Callable[..., LessonStream]) -> None:
    lesson = stream()[0][0]
    targets = dense_targets([lesson.scene], [lesson.prompt], CPU)
    torch.manual_seed(0)
    tokens = torch.randn(25, 64)
    head = DenseHead(64)
    optimizer = torch.optim.Adam(head.parameters(), lr=0.02)
    result: dict[str, torch.Tensor] = {}
    for _ in range(800):
        optimizer.zero_grad()
        result = head(tokens, targets)
        result["loss"].backward()
        optimizer.step()
    assert result["class"] == result["color"] == 1
    assert result["corner_error"] < 0.05


@pytest.mark.slow
def test_pointing_and_words_have_a_mean_each(
    stream: Callable[..., LessonStream], make_policy: Callable[..., Policy]
) -> None:
    policy = make_policy(None)
    lessons = stream()[9]
    module = PretrainModule(policy=policy, grammar=get_grammar("obj_bbox"), steps=10, tower_steps=2)
    surprise: dict[bool, list[float]] = {True: [], False: []}
    with torch.no_grad():
        losses = module.language_losses(lessons, policy.features([x.prompt for x in lessons]))
        for lesson in lessons:
            for sample in (*lesson.pointing, *lesson.words):
                points = sample in lesson.pointing
                text = (
                    module.pointing_text(sample, lesson.prompt)
                    if points
                    else f"<answer>{sample.answers[0]}</answer>"
                )
                branch = module.make_branch(sample, text)
                alone = policy.logprobs([lesson.prompt], [[branch]])
                surprise[points] += (-alone.logprobs[alone.mask]).tolist()
    expected = [sum(surprise[pointing]) / len(surprise[pointing]) for pointing in (True, False)]
    assert [loss.item() for loss in losses] == pytest.approx(expected, rel=1e-4)


def test_words_start_where_the_tower_looks_for_what_they_name(
    make_policy: Callable[..., Policy],
) -> None:
    policy = make_policy(None)
    module = PretrainModule(policy=policy, grammar=get_grammar("obj_bbox"), steps=10, tower_steps=2)
    table = cast(nn.Embedding, policy.vlm.get_input_embeddings()).weight.detach()
    before = table.clone()
    module.init_word_embeddings()
    tokenizer = policy.processor.tokenizer
    weight = module.head.linear.weight.detach()
    moved = set()
    for names, start in ((CLASS_NAMES, 1), (COLOR_NAMES, 1 + len(CLASS_NAMES))):
        rows = weight[start : start + len(names)]
        for name in names:
            for text in (name, f" {name}"):
                token, *rest = tokenizer.encode(text, add_special_tokens=False)
                if not rest:
                    moved.add(token)
                    along = torch.cosine_similarity(table[token], rows - rows.mean(0), dim=-1)
                    assert along.argmax() == names.index(name)
                    assert along.max() == pytest.approx(1)
    assert len(moved) > 10
    assert set((table != before).any(-1).nonzero()[:, 0].tolist()) == moved


def test_the_learning_rate_rises_once_and_falls() -> None:
    rates = [one_cycle(done / 100, 0.05) for done in range(101)]
    assert max(rates) == rates[5] == 1
    assert rates[:6] == sorted(rates[:6])
    assert rates[5:] == sorted(rates[5:], reverse=True)
    assert rates[-1] == pytest.approx(0.02)


@pytest.mark.slow
def test_a_whole_pretraining_run_leaves_a_loadable_model(tmp_path: Path) -> None:
    plan = StagePlan(
        module=partial(PretrainModule, steps=4, tower_steps=2), steps=4, prompts_per_step=2
    )
    run = Pretraining(
        plan=plan,
        grammar=get_grammar("obj_bbox"),
        template=PromptTemplate(),
        make_trainer=partial(L.Trainer, accelerator="cpu"),
        run_dir=tmp_path,
        seed=0,
        report_scenes=1,
    )
    assert run.run().splitlines()[-1] == str(tmp_path)
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    assert set(metrics["pretrain"]) == {
        f"{subject}-{look}/{name}"
        for subject in Subject
        for look in Look
        for name in ("class", "color", "locate_iou")
    }
    processor = AutoProcessor.from_pretrained(tmp_path / "model")
    model = AutoModelForImageTextToText.from_pretrained(tmp_path / "model")
    assert processor.tokenizer.encode("<obj>red cup</obj>", add_special_tokens=False)
    assert sum(p.numel() for p in model.parameters()) < 6e6
    assert (tmp_path / "report.html").exists()
