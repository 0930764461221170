"""Broken or empty texts, and reasoning that is none."""

from collections.abc import Iterator

from groundrl.questions.sentences import weave
from groundrl.rewards.audit.box_cheats import COSTLY_CASES
from groundrl.rewards.audit.cases import Case, without_delimiters
from groundrl.rewards.audit.cheat import Cheat
from groundrl.rewards.audit.yardstick import ANSWERS, BOXES, FORMAT, REASONING


def text_cheats(case: Case) -> Iterator[Cheat]:
    """Empty texts, broken texts, reasoning that has nothing to do with the answer."""
    yield from _empty(case)
    yield from _broken(case)
    yield from _unreasoned(case)


def _empty(case: Case) -> Iterator[Cheat]:
    """No answer and no box; where there is nothing to point at, a missing box is no cheat."""
    prompt = f"{case.sample.question}\nOptions: {', '.join(case.sample.options)}."
    texts = {
        "nothing": "",
        "blanks": " \n\t" * 10,
        "tags only": "<think></think><answer></answer>",
        "copied prompt": prompt,
    }
    if case.number < COSTLY_CASES:
        texts["huge text"] = "I look and look. " * 10_000
        texts["endless tags"] = "<think><obj>[" * 10_000
    for name, text in texts.items():
        yield Cheat(name=name, text=text, worse_in=frozenset({ANSWERS, BOXES, FORMAT}))


def _broken(case: Case) -> Iterator[Cheat]:
    gold = case.write()
    think, _, answer = gold.partition("</think>")
    inside = think.removeprefix("<think>")
    cut = gold[: len(think) // 2]
    yield Cheat(name="cut short", text=cut, worse_in=frozenset({ANSWERS, BOXES, FORMAT}))
    for name, text in {
        "nested tags": f"<think><think>{inside}</think></think>{answer}",
        "thinking after the answer": f"{answer}<think>{inside}</think>",
        "everything twice": gold * 2,
        "text before the thinking": f"Sure! {gold}",
        "tags in capitals": gold.replace("think>", "THINK>"),
        "boxes outside the thinking": f"<think>I see it.</think>{inside}{answer}",
        "control tokens around": f"<|im_start|>assistant\n{gold}<|im_end|>",
    }.items():
        yield Cheat(name=name, text=text, worse_in=frozenset({FORMAT}))


def _unreasoned(case: Case) -> Iterator[Cheat]:
    """The right answer and the right boxes, but words that do not lead there."""
    boxes = case.sample.groundings
    words = {
        "no words": weave(*boxes),
        "question as reasoning": weave(f"{without_delimiters(case.sample.question)} ", *boxes),
        "repeated sentences": weave("Let me look at it. " * 30, *case.reasoning),
        "rambling": weave(" ".join(f"word{i}" for i in range(200)) + " ", *case.reasoning),
    }
    if case.wrong_options and case.sample.answers:
        wrong = without_delimiters(case.wrong_options[0])
        words["contradicts its answer"] = weave(*case.reasoning, f" So the answer is {wrong}.")
    for name, reasoning in words.items():
        if reasoning:
            yield Cheat(name=name, text=case.write(reasoning), worse_in=frozenset({REASONING}))
