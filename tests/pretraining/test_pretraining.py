"""Pretraining: the dense lesson, the losses, and a whole run in small."""

import copy
import json
import math
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import cast

import lightning as L
import pytest
import torch
from torch import nn
from transformers import AutoModelForImageTextToText, AutoProcessor

from groundrl.boxes import Box, Frame
from groundrl.grammar import get_grammar
from groundrl.policy.policy import Policy
from groundrl.policy.prompt import Prompt
from groundrl.pretraining.dense_lesson import COLOR_NAMES, DenseHead, dense_targets
from groundrl.pretraining.exercises import Exercise
from groundrl.pretraining.lessons import LessonStream
from groundrl.pretraining.make_embedded import Pretraining
from groundrl.pretraining.pretrain import (
    CERTAIN,
    LEAST_OPEN,
    PretrainModule,
    one_cycle,
)
from groundrl.pretraining.skills import SKILLS
from groundrl.pretraining.take_over import take_over
from groundrl.prompts import PromptTemplate, to_frame
from groundrl.stages.fit import StagePlan
from groundrl.world.graph import Look, Subject
from groundrl.world.vocabulary import CLASSES

CPU = torch.device("cpu")


@pytest.mark.slow
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
        assert CLASSES[targets.category[row]] == owner.category
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
def test_boxes_and_the_words_after_them_have_a_mean_each(
    stream: Callable[..., LessonStream], make_policy: Callable[..., Policy]
) -> None:
    policy = make_policy(None)
    lessons = [*stream()[9], *stream()[12][:1], *stream()[14]]
    module = PretrainModule(
        policy=policy,
        grammar=get_grammar("obj_bbox"),
        steps=24,
        tower_steps=2,
        naming_steps=10,
        reading_steps=2,
    )

    def whole(exercise: Exercise, prompt: Prompt) -> list[int]:
        sample = exercise.sample
        text = f"<answer>{', '.join(sample.answers)}</answer>"
        if exercise.part != "answer":
            assert sample.rationale is not None
            segments = to_frame(sample.rationale, prompt.sizes, policy.frame)
            answer = "" if exercise.part == "reasoning" else text
            text = f"<think>{module.grammar.render_segments(segments)}</think>{answer}"
        return [*policy.encode.after_images(sample), *policy.encode.answer_tokens(text)]

    surprise: dict[bool, list[float]] = {True: [], False: []}
    decode = policy.processor.tokenizer.decode
    with torch.no_grad():
        losses = module.language_losses(lessons, policy.features([x.prompt for x in lessons]))
        for lesson in lessons:
            for exercise in lesson.exercises:
                written = module.write(exercise, lesson.prompt)
                tokens = written.branch.tokens
                assert written.branch.tokens == whole(exercise, lesson.prompt)
                between = decode([tokens[i] for i in written.words])
                assert "<bbox>" not in between
                assert ("<answer>" in between) is (exercise.part != "reasoning")
                alone = policy.logprobs([lesson.prompt], [[written.branch]])
                place = torch.arange(alone.mask.shape[1])[None]
                is_word = torch.isin(place, torch.tensor(written.words))
                for pointing in (True, False):
                    part = alone.mask & (is_word != pointing)
                    surprise[pointing] += (-alone.logprobs[part]).tolist()
    pointing, words = surprise[True], surprise[False]
    # A word that is certain already does not count, but for a small share.
    unsure = sum(value > -math.log(CERTAIN) for value in words)
    expected = [
        sum(pointing) / len(pointing),
        sum(words) / (unsure + LEAST_OPEN * len(words)),
    ]
    assert [loss.item() for loss in losses] == pytest.approx(expected, rel=1e-4)


def test_weights_are_taken_over_word_by_word(
    make_policy: Callable[..., Policy], tmp_path: Path
) -> None:
    old, new = make_policy(None), make_policy(None)
    old.vlm.save_pretrained(tmp_path)
    old.processor.save_pretrained(tmp_path)
    new.processor.tokenizer = tokenizer = copy.deepcopy(old.processor.tokenizer)
    tokenizer.add_tokens(["brandnew"])
    new.vlm.resize_token_embeddings(len(tokenizer))
    with torch.no_grad():
        for weight in new.vlm.parameters():
            weight.normal_()
    take_over(new, str(tmp_path))
    tables = [cast(nn.Embedding, one.vlm.get_input_embeddings()).weight for one in (new, old)]
    assert torch.equal(tables[0][:-1], tables[1])
    pieces = old.processor.tokenizer.encode("brandnew", add_special_tokens=False)
    assert torch.allclose(tables[0][-1], tables[1][pieces].mean(0))
    theirs = dict(old.vlm.named_parameters())
    for name, weight in new.vlm.named_parameters():
        assert "embed_tokens" in name or torch.equal(weight, theirs[name])


def test_words_start_where_the_tower_looks_for_what_they_name(
    make_policy: Callable[..., Policy],
) -> None:
    policy = make_policy(None)
    module = PretrainModule(
        policy=policy,
        grammar=get_grammar("obj_bbox"),
        steps=10,
        tower_steps=2,
        naming_steps=8,
        reading_steps=0,
    )
    table = cast(nn.Embedding, policy.vlm.get_input_embeddings()).weight.detach()
    before = table.clone()
    module.init_word_embeddings()
    tokenizer = policy.processor.tokenizer
    weight = module.head.linear.weight.detach()
    moved = set()
    for names, start in ((CLASSES, 1), (COLOR_NAMES, 1 + len(CLASSES))):
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
        module=partial(PretrainModule, steps=7, tower_steps=2, naming_steps=2, reading_steps=1),
        steps=7,
        prompts_per_step=2,
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
        for name in SKILLS.values()
    }
    processor = AutoProcessor.from_pretrained(tmp_path / "model")
    model = AutoModelForImageTextToText.from_pretrained(tmp_path / "model")
    assert processor.tokenizer.encode("<obj>red cup</obj>", add_special_tokens=False)
    assert sum(p.numel() for p in model.parameters()) < 6e6
    assert (tmp_path / "report.html").exists()
