"""A reward model rates the sentences of an answer."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from attempts import SIZES, completion, sample
from hypothesis import given
from hypothesis import strategies as st

from groundrl.answers.attempt import Attempt, read_attempt
from groundrl.boxes import Frame
from groundrl.errors import UserError
from groundrl.feedback.captions import OUTPUTS, Level
from groundrl.feedback.load import save_reward_model
from groundrl.feedback.reward_model import RewardModel
from groundrl.grammar import GRAMMARS
from groundrl.policy.adapters.adapter import Adapter
from groundrl.policy.load import load_policy
from groundrl.prompts import PromptTemplate
from groundrl.records import RolloutGroup
from groundrl.rewards.base import BatchedTerm, Rating
from groundrl.rewards.terms.sentence import Sentence, signed
from groundrl.world.graph import Look, SceneSpec, Subject
from groundrl.world.source import SceneImage

IMAGE = SceneImage(spec=SceneSpec(seed=3, index=0, subject=Subject.TABLETOP, look=Look.PLAIN))
CAPTION = "There is a red cup. It is left of a lamp."


def attempt(text: str) -> Attempt:
    of = replace(sample(), image=IMAGE, question="Describe the image.", options=(), answers=())
    said = completion(text)
    group = RolloutGroup(sample=of, sizes=SIZES, completions=(said,))
    return read_attempt(group, said, GRAMMARS["inline_box"], Frame.PIXEL)


def trained(folder: Path, level: Level) -> RewardModel:
    policy = load_policy("embedded", Frame.PERMILLE, PromptTemplate(), Adapter(kind="lora", rank=4))
    model = RewardModel(policy, [0.3] * len(OUTPUTS), level)
    torch.manual_seed(0)
    torch.nn.init.normal_(model.head.weight, std=0.5)
    save_reward_model(model, folder)
    return model


@pytest.mark.slow
@pytest.mark.parametrize("level", ["sentence", "caption"])
def test_an_answer_earns_what_the_model_says_of_its_sentences(tmp_path: Path, level: Level) -> None:
    model = trained(tmp_path, level)
    term = Sentence(model=str(tmp_path), device="cpu")
    assert isinstance(term, BatchedTerm)
    text = f"<think></think><answer>{CAPTION}</answer>"
    tagged, plain, nothing = term.rate([attempt(text), attempt(CAPTION), attempt("...")])
    assert nothing is None
    assert isinstance(tagged, Rating)
    assert isinstance(plain, Rating)
    assert tagged.value == plain.value
    scores = model.score(IMAGE, "Describe the image.", CAPTION)
    values = [signed(one.wrong, model.threshold) for one in scores]
    assert plain.value == pytest.approx(sum(values) / len(values), abs=1e-5)
    spans = [(text[span.start : span.stop], span.value) for span in tagged.spans]
    if level == "caption":
        assert spans == []
    else:
        assert [said for said, _ in spans] == ["There is a red cup.", "It is left of a lamp."]
        assert [value for _, value in spans] == pytest.approx(values, abs=1e-5)


@given(wrong=st.floats(0, 1), threshold=st.floats(0.05, 0.95))
def test_the_sign_is_the_models_verdict(wrong: float, threshold: float) -> None:
    value = signed(wrong, threshold)
    assert -1 <= value <= 1
    assert (value >= 0) is (wrong <= threshold)
    assert (signed(0.0, threshold), signed(1.0, threshold)) == (1.0, -1.0)


def test_a_folder_without_a_model_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is no reward model"):
        Sentence(model=str(tmp_path))
