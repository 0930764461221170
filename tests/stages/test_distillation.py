"""What a teacher answers well is learned; nothing else is."""

import json
from collections.abc import Generator
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import lightning as L
import pytest
from stage_runs import MakePolicy, sft_module, weights
from world_questions import world_samples

from groundrl.data.datasets import SampleList
from groundrl.data.schema import read_jsonl
from groundrl.data.targets import worked_answer
from groundrl.errors import UserError
from groundrl.grammar import get_grammar
from groundrl.launch.logs import silence_libraries
from groundrl.launch.training import build_part
from groundrl.policy.policy import Policy
from groundrl.policy.prompt import Prompt
from groundrl.records import Grounding, Sample
from groundrl.rollout.base import LoadFeatures, RolloutEngine, SampledTokens, Sampling
from groundrl.rollout.randomness import RolloutSeeds
from groundrl.rollout.sampler import Sampler
from groundrl.stages.distillation import TRACES, Distillation
from groundrl.stages.fit import StageRun

GRAMMAR = get_grammar("obj_bbox")
CPU = partial(L.Trainer, accelerator="cpu", devices=1)


@dataclass
class Speaker(RolloutEngine):
    """Says of each sample what it is told to say."""

    texts: dict[str, str]
    asked: list[str] = field(default_factory=list)

    def generate(
        self,
        policy: Policy,
        prompts: list[Prompt],
        features: LoadFeatures,
        seeds: RolloutSeeds,
        sampling: Sampling,
    ) -> Generator[tuple[int, list[SampledTokens]]]:
        for index, id in enumerate(seeds.sample_ids):
            self.asked.append(id)
            tokens = tuple(policy.encode.answer_tokens(self.texts[id]))
            logprobs = (-1.0,) * len(tokens)
            yield index, [SampledTokens(tokens=tokens, logprobs=logprobs, truncated=False)]


def worked(policy: Policy, sample: Sample) -> str:
    sizes = policy.encode(sample).sizes
    return GRAMMAR.render(policy.encode.target(sample, sizes, policy.frame))


def plan(teacher: Policy, texts: dict[str, str], **options: Any) -> Distillation:
    return Distillation(
        teacher=lambda: teacher,
        sampler=Sampler(Speaker(texts=texts), Sampling(max_tokens=256), group_size=1),
        module=partial(sft_module, lr=0.1, steps=2),
        steps=2,
        prompts_per_step=2,
        **options,
    )


def stage_run(policy: Policy, samples: list[Sample], run_dir: Path) -> StageRun:
    silence_libraries()
    return StageRun(
        policy=policy,
        train=SampleList(tuple(samples)),
        seed=0,
        num_workers=0,
        build=partial(build_part, supplied={"policy": policy, "grammar": GRAMMAR}),
        make_trainer=CPU,
        run_dir=run_dir,
    )


def questions(count: int) -> list[Sample]:
    """With options, an answer and something to point at."""
    return [one for one in world_samples(40) if one.options and one.groundings][:count]


def write(distillation: Distillation, run: StageRun, folder: Path) -> list[Sample]:
    distillation.write_traces(grammar=GRAMMAR, run=run, folder=folder)
    return read_jsonl(folder / TRACES)


@pytest.mark.slow
def test_only_right_and_well_formed_answers_are_learned(
    make_policy: MakePolicy, tmp_path: Path
) -> None:
    teacher, samples = make_policy("frozen"), questions(5)
    texts = {one.id: worked(teacher, one) for one in samples}
    right, wrong, untagged, unclosed, outside = samples
    other = next(option for option in wrong.options if option not in wrong.answers)
    texts[wrong.id] = f"<think>Look.</think><answer>{other}</answer>"
    texts[untagged.id] = untagged.answers[0]
    texts[unclosed.id] = texts[unclosed.id].removesuffix("</answer>")
    box = "<obj>cup</obj><bbox>[0, 0, 1200, 10]</bbox>"
    texts[outside.id] = f"<think>{box}</think><answer>{', '.join(outside.answers)}</answer>"
    run = stage_run(make_policy("soft_prompt"), samples, tmp_path)
    (found,) = write(plan(teacher, texts), run, tmp_path / "distillation")
    assert found.id == right.id
    summary = json.loads((tmp_path / "distillation" / "summary.json").read_text())
    assert summary == {"questions": 5, "learned": 1}


@pytest.mark.slow
def test_the_reasoning_of_the_teacher_takes_the_place_of_the_worked_one(
    make_policy: MakePolicy, tmp_path: Path
) -> None:
    teacher, student = make_policy("frozen"), make_policy("soft_prompt")
    (sample,) = questions(1)
    answer = ", ".join(sample.answers)
    box = "<obj>cup</obj><bbox>[10, 20, 310, 420]</bbox>"
    said = f"<think>I see {box}.</think><answer>{answer}</answer>"
    (found,) = write(
        plan(teacher, {sample.id: said}), stage_run(student, [sample], tmp_path), tmp_path
    )
    assert found.rationale is not None
    assert [part.label for part in found.rationale if isinstance(part, Grounding)] == ["cup"]
    assert replace(found, rationale=sample.rationale, image=sample.image) == sample
    learned = sft_module(student).target(found, student.encode(found))
    assert student.decode(learned[:-1]) == said
    bare = worked_answer(sample, "answer_only")
    assert student.decode(sft_module(student).target(bare, student.encode(bare))[:-1]) == (
        f"<think></think><answer>{answer}</answer>"
    )


@pytest.mark.slow
def test_a_run_that_goes_on_does_not_ask_the_teacher_again(
    make_policy: MakePolicy, tmp_path: Path
) -> None:
    teacher, samples, student = make_policy("frozen"), questions(4), make_policy("soft_prompt")
    stage = plan(teacher, {one.id: worked(teacher, one) for one in samples}, questions=3)
    before = weights(student)
    stage.train("distillation", stage_run(student, samples, tmp_path))
    engine = stage.sampler.engine
    assert isinstance(engine, Speaker)
    assert engine.asked == [one.id for one in samples[:3]]
    assert all((x != before[name]).any() for name, x in weights(student).items())
    stage.train("distillation", stage_run(make_policy("soft_prompt"), samples, tmp_path))
    assert len(engine.asked) == 3


def test_a_teacher_that_knows_nothing_is_an_error(make_policy: MakePolicy, tmp_path: Path) -> None:
    (sample,) = questions(1)
    stage = plan(make_policy("frozen"), {sample.id: "I do not know."})
    run = stage_run(make_policy("soft_prompt"), [sample], tmp_path)
    with pytest.raises(UserError, match=r"none of the teacher's answers to 1 .*nothing to learn"):
        write(stage, run, tmp_path / "distillation")
    assert not (tmp_path / "distillation").exists()
