"""Asking a model: every answer is kept at once, and no question is asked twice."""

import json
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from groundrl.answers.notation import Notation
from groundrl.errors import UserError
from groundrl.evaluation.benchmarks.base import QuestionSet, summarize
from groundrl.evaluation.benchmarks.world import WorldREC
from groundrl.evaluation.benchmarks.world_pope import WorldPOPE
from groundrl.evaluation.inference import PREDICTIONS, ModelSource, answer_questions, score_attempt
from groundrl.evaluation.matching import match_recorded
from groundrl.evaluation.prompting import choose_template
from groundrl.evaluation.recorded import read_predictions
from groundrl.grammar import get_grammar
from groundrl.policy.policy import Policy
from groundrl.policy.prompt import Example
from groundrl.prompts import PromptTemplate
from groundrl.records import Form
from groundrl.rollout.base import Sampling
from groundrl.rollout.native import NativeEngine
from groundrl.rollout.sampler import OnGroup, Rollout, Sampler

MakePolicy = Callable[..., Policy]
BENCHMARKS = {"rec": WorldREC(size=3), "pope": WorldPOPE(size=3)}


class Counting(Sampler):
    """Samples, and counts what it is asked."""

    def __init__(self) -> None:
        sampling = Sampling(max_tokens=6, temperature=0.0)
        super().__init__(NativeEngine(), sampling, group_size=1, seed=3)
        self.asked: list[str] = []

    def __call__(
        self, policy: Policy, examples: Sequence[Example], step: int, take: OnGroup | None = None
    ) -> Rollout:
        self.asked += [sample.id for sample, _ in examples]
        return super().__call__(policy, examples, step, take)


def model_source(policy: Policy, sampler: Sampler) -> ModelSource:
    return ModelSource(
        open_policy=lambda: nullcontext(policy),
        sampler=sampler,
        notation=Notation.of("obj_bbox", "permille"),
        prompting="grounded",
    )


def figures(policy: Policy, folder: Path, sampler: Sampler) -> dict[str, dict[str, float]]:
    answers, _ = answer_questions(model_source(policy, sampler), BENCHMARKS, folder)
    return {name: summarize(BENCHMARKS[name], found) for name, found in answers.items()}


@pytest.mark.slow
def test_a_killed_run_goes_on_with_the_questions_that_are_left(
    make_policy: MakePolicy, tmp_path: Path
) -> None:
    policy, first = make_policy(None), Counting()
    whole = figures(policy, tmp_path, first)
    assert len(first.asked) == 9
    path = tmp_path / PREDICTIONS
    lines = path.read_text().splitlines(keepends=True)
    # Killed in the middle of the sixth line.
    path.write_text("".join(lines[:5]) + lines[5][:40])
    second = Counting()
    assert figures(policy, tmp_path, second) == whole
    assert second.asked == first.asked[5:]
    assert path.read_text().splitlines(keepends=True) == lines
    third = Counting()
    assert figures(policy, tmp_path, third) == whole
    assert third.asked == []


@pytest.mark.slow
def test_a_damaged_line_of_a_killed_run_is_named(make_policy: MakePolicy, tmp_path: Path) -> None:
    figures(make_policy(None), tmp_path, Counting())
    path = tmp_path / PREDICTIONS
    first, _, *rest = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([first, b"\xff{\n", *rest]))
    with pytest.raises(UserError, match=r"predictions.jsonl:2: no answer record"):
        figures(make_policy(None), tmp_path, Counting())


@pytest.mark.slow
def test_recorded_answers_score_as_the_run_did(make_policy: MakePolicy, tmp_path: Path) -> None:
    whole = figures(make_policy(None), tmp_path, Counting())
    path = tmp_path / PREDICTIONS
    found, _ = match_recorded(path, read_predictions(path, get_grammar("obj_bbox")), BENCHMARKS)
    for name, benchmark in BENCHMARKS.items():
        answers = [score_attempt(benchmark, one.attempt) for one in found[name]]
        assert summarize(benchmark, answers) == whole[name]


def test_a_line_holds_everything_about_an_answer(make_policy: MakePolicy, tmp_path: Path) -> None:
    figures(make_policy(None), tmp_path, Counting())
    lines = (tmp_path / PREDICTIONS).read_text().splitlines()
    record: dict[str, Any] = json.loads(lines[0])
    assert (record["set"], record["prompting"], record["grammar"]) == (
        *("rec", "grounded", "obj_bbox"),
    )
    assert record["prompt"].startswith(record["question"])
    assert len({json.loads(line)["seed"] for line in lines}) == len(lines)
    assert record["question"].endswith((".", "?"))
    assert record["scores"].keys() == {"correct", "box_iou", "none", "several"}
    assert record["image_size"] == [160, 160]


@pytest.mark.slow
def test_a_policy_that_others_share_keeps_its_template(
    make_policy: MakePolicy, tmp_path: Path
) -> None:
    policy = make_policy(None)
    policy.encode.template = PromptTemplate(instruction="Answer inside <answer>.")
    encode, template = policy.encode, policy.encode.template
    figures(policy, tmp_path, Counting())
    assert policy.encode is encode
    assert policy.encode.template is template
    lines = (tmp_path / PREDICTIONS).read_text().splitlines()
    prompts = [json.loads(line)["prompt"] for line in lines]
    assert all("Point at the object that is meant" in text for text in prompts[:3])
    assert all("answer yes or no inside <answer>" in text for text in prompts[3:])


def test_a_question_that_is_asked_twice_is_refused(make_policy: MakePolicy, tmp_path: Path) -> None:
    class Twice(WorldREC):
        def questions(self) -> QuestionSet:
            samples = super().questions().samples
            return QuestionSet(samples=(*samples, samples[0]))

    one = model_source(make_policy(None), Counting())
    with pytest.raises(UserError, match="rec asks 1 questions twice"):
        answer_questions(one, {"rec": Twice(size=2)}, tmp_path)


def test_a_model_that_learned_by_examples_is_asked_the_bare_question() -> None:
    bare = PromptTemplate()
    for form in Form:
        assert choose_template(bare, form, get_grammar("obj_bbox"), "grounded") == bare


def test_instructions_differ_in_what_is_asked_for_only() -> None:
    grammar = get_grammar("obj_bbox")
    own = PromptTemplate(instruction="As in training.", answer_style="letters")
    assert choose_template(own, Form.OPTIONS, grammar, "grounded") == own
    asked = {form: choose_template(own, form, grammar, "grounded").instruction for form in Form}
    assert "answer yes or no inside <answer>" in asked[Form.YES_NO]
    assert all(grammar.syntax in asked[form] for form in (Form.BOX, Form.TEXT, Form.TRUE_FALSE))
    direct = {form: choose_template(own, form, grammar, "direct").instruction for form in Form}
    assert direct[Form.OPTIONS] == "Answer with the letter, or the letters separated by commas."
    assert not any("think" in text for text in direct.values())
