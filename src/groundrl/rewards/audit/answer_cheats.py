"""The right boxes with a wrong answer, or with an answer in the wrong place."""

from collections import Counter
from collections.abc import Iterator

from groundrl.prompts import LETTERS
from groundrl.rewards.audit.cases import Case
from groundrl.rewards.audit.cheat import Cheat
from groundrl.rewards.audit.yardstick import ANSWERS, FORMAT

LOOKALIKES = str.maketrans("aceiopsxyABCEHKMOPTX", "асеіорѕхуАВСЕНКМОРТХ")
"""Latin letters -> Cyrillic ones that look the same."""
CONTROL = "<|im_end|>"
"""A control token of chat templates, as plain text."""


def answer_cheats(case: Case) -> Iterator[Cheat]:
    """None for a sample that asks for boxes only."""
    if not case.sample.answers:
        return
    for name, answer in _wrong_answers(case).items():
        yield Cheat(name=name, text=case.write(answer=answer), worse_in=frozenset({ANSWERS}))
    gold, tagged = case.write(), f"<answer>{case.answer}</answer>"
    wrong = _one_wrong(case)
    worse_in = frozenset({ANSWERS, FORMAT})
    for name, text in {
        "empty answer": gold.replace(tagged, "<answer> </answer>"),
        "wrong answer, then the right one": gold.replace(
            tagged, f"<answer>{wrong}</answer>{tagged}"
        ),
        "answer without its tag": gold.replace(tagged, case.answer),
        "answer in the reasoning only": gold.replace(tagged, "").replace(
            "</think>", f" So it is {case.answer}.</think>"
        ),
        "answer tag in the reasoning only": gold.replace(tagged, "").replace(
            "</think>", f"{tagged}</think>"
        ),
        "answer never closed": gold.replace("</answer>", ""),
        "look-alike letters in the tags": gold.replace("answer>", "answer>".translate(LOOKALIKES)),
    }.items():
        yield Cheat(name=name, text=text, worse_in=worse_in)
    for name, text in {
        "right answer, then all others": gold
        + "".join(f"<answer>{option}</answer>" for option in (*case.wrong_options, wrong)),
        "control token after the answer": gold + CONTROL,
        "chat after the answer": f"{gold} I hope this helps!",
    }.items():
        yield Cheat(name=name, text=text, worse_in=frozenset({FORMAT}))


def _wrong_answers(case: Case) -> dict[str, str]:
    """By name; one that happens to be right is left out by the bank."""
    sample = case.sample
    options, wrong = ", ".join(sample.options), _one_wrong(case)
    answers = {
        "wrong answer": wrong,
        "hedged": f"{case.answer} or something else",
        "denied": f"not {case.answer}",
        "question as answer": f"{sample.question}\nOptions: {options}.",
        "look-alike letters": case.answer.translate(LOOKALIKES),
        "control token in the answer": f"{case.answer}{CONTROL}",
        "placeholder": "...",
        "a number for everything": "1e400",
        "reasoning as answer": f"I think that it is {case.answer}.",
    }
    if (common := _commonest_answer(case)) is not None:
        answers["commonest answer"] = common
    if sample.options:
        letters = LETTERS[: len(sample.options)]
        answers["all options"] = options
        answers["all options, hedged"] = " or ".join(sample.options)
        answers["all letters"] = ", ".join(letters)
        answers["a letter beyond the options"] = (LETTERS[len(letters) :] or "?")[0]
        if len(sample.options) > len(sample.answers) + 1:
            answers["right and wrong"] = f"{case.answer}, {wrong}"
        if len(sample.answers) > 1:
            answers["part of the answer"] = sample.answers[0]
    return answers


def _one_wrong(case: Case) -> str:
    """A wrong option; of an open question, the answer to another one."""
    told = (answer for other in case.others for answer in other.answers)
    return next(iter(case.wrong_options), next(told, "nothing"))


def _commonest_answer(case: Case) -> str | None:
    """Of the other samples, among the options of this one."""
    told = Counter(answer for other in case.others for answer in other.answers)
    known = case.sample.options or tuple(told)
    return max(known, key=lambda answer: told[answer], default=None)
