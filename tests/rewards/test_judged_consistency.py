"""A language model judges whether the reasoning entails the answer; it is reached over HTTP."""

import json
from dataclasses import replace

from attempts import SIZES, completion, sample
from chat_server import Body, Raw, chat_server, error

from groundrl.answers.attempt import Attempt, read_attempt
from groundrl.boxes import Frame
from groundrl.chat.openai_compatible import OpenAICompatibleModel
from groundrl.evaluation.judging.chat_judge import ChatJudge
from groundrl.grammar import GRAMMARS
from groundrl.records import RolloutGroup
from groundrl.rewards.base import BatchedTerm, Rating, Unanswered
from groundrl.rewards.terms.judged_consistency import JudgedConsistency


def said(reasoning: str, answer: str, answers: tuple[str, ...] = ("red",)) -> Attempt:
    of = replace(sample(), question="Which color?", options=("red", "blue"), answers=answers)
    text = completion(f"<think>{reasoning}</think><answer>{answer}</answer>")
    group = RolloutGroup(sample=of, sizes=SIZES, completions=(text,))
    return read_attempt(group, text, GRAMMARS["inline_box"], Frame.PIXEL)


def judge(body: Body) -> str:
    text = body["messages"][0]["content"]
    aligned = "Reasoning: It is red." in text and "Answer: red" in text
    flaw = "none" if aligned else "contradiction"
    return json.dumps({"reason": "read", "aligned": aligned, "flaw": flaw})


def test_the_judge_is_asked_once_for_each_case() -> None:
    with chat_server(judge) as served:
        term = JudgedConsistency(judge=ChatJudge(chat=OpenAICompatibleModel("m", [served.url])))
        assert isinstance(term, BatchedTerm)
        attempts = [
            said("It is red.", "red"),
            said("It is blue.", "red"),
            said("It is red.", "red"),
        ]
        assert term.rate(attempts) == [Rating(value=1.0), Rating(value=0.0), Rating(value=1.0)]
        assert term.rate(attempts[:1]) == [Rating(value=1.0)]
    assert len(served.bodies) == 2


def test_what_needs_no_judge_is_not_asked() -> None:
    with chat_server(judge) as served:
        term = JudgedConsistency(judge=ChatJudge(chat=OpenAICompatibleModel("m", [served.url])))
        unknown, silent = said("It is red.", "red", answers=()), said("", "red")
        assert term.rate([unknown, silent, said("It is red.", "")]) == [
            None,
            Rating(value=0.0),
            Rating(value=0.0),
        ]
    assert not served.bodies


def test_a_judge_that_is_down_leaves_completions_unrated_and_is_asked_again() -> None:
    down = [True]

    def answer(body: Body) -> str | Raw:
        return error(503, "busy") if down[0] else judge(body)

    with chat_server(answer) as served:
        chat = OpenAICompatibleModel("m", [served.url], retries=0)
        term = JudgedConsistency(judge=ChatJudge(chat=chat))
        (rating,) = term.rate([said("It is red.", "red")])
        assert isinstance(rating, Unanswered)
        down[0] = False
        assert term.rate([said("It is red.", "red")]) == [Rating(value=1.0)]
