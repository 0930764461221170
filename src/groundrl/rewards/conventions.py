"""How reward functions of other trainers are called: TRL, verl, EasyR1.

A function is recognised by the names of its parameters, before anything is called.
"""

import inspect
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from groundrl.errors import UserError
from groundrl.records import Sample

Arguments = dict[str, Any]
_READS_CONTENT = re.compile(r"\[\s*[\"']content[\"']\s*\]|\.get\(\s*[\"']content[\"']")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """A completion as functions of other trainers see it."""

    sample: Sample
    text: str
    tokens: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Convention:
    """What a trainer passes to a reward function, and what it takes back."""

    name: str
    sign: frozenset[str]
    """A function with one of these parameters follows the convention."""
    arguments: Callable[[Answered], Arguments]
    """By parameter."""
    batched: bool
    """Whether the result is a list with one value for each completion."""
    key: str
    """Of the value in a result that is a mapping."""

    def value(self, result: Any) -> Any:
        """The one value in a result; raises ValueError where there is none."""
        plain = result.tolist() if hasattr(result, "tolist") else result  # of numpy and torch
        if self.batched:
            if not isinstance(plain, list | tuple) or len(plain) != 1:
                raise ValueError
            plain = plain[0]
        if isinstance(plain, Mapping):
            if self.key not in plain:
                raise ValueError
            plain = plain[self.key]
        return plain.item() if hasattr(plain, "item") else plain


def columns(sample: Sample) -> dict[str, list[Any]]:
    """The sample as columns of a batch of one."""
    return {
        "id": [sample.id],
        "question": [sample.question],
        "problem": [sample.question],
        "options": [list(sample.options)],
        "answers": [list(sample.answers)],
        "answer": [truth(sample)],
        "solution": [truth(sample)],
        "ground_truth": [truth(sample)],
        "kind": [sample.kind],
        "labels": [[grounding.label for grounding in sample.groundings]],
        "boxes": [[list(grounding.box.corners) for grounding in sample.groundings]],
    }


def truth(sample: Sample) -> str:
    """The right options, separated by commas, or the first accepted answer of an open question;
    without answers the true boxes as JSON, ``[{"bbox_2d": [x1, y1, x2, y2], "label": ...}]`` in
    pixels."""
    if sample.answers:
        return ", ".join(sample.answers) if sample.options else sample.answers[0]
    boxes = [{"bbox_2d": list(g.box.corners), "label": g.label} for g in sample.groundings]
    return json.dumps(boxes, ensure_ascii=False)


def _trl(answered: Answered) -> Arguments:
    return {
        "prompts": [answered.sample.question],
        "completions": [answered.text],
        "completion_ids": [list(answered.tokens)],
        **columns(answered.sample),
    }


def _trl_messages(answered: Answered) -> Arguments:
    return _trl(answered) | {
        "prompts": [[{"role": "user", "content": answered.sample.question}]],
        "completions": [[{"role": "assistant", "content": answered.text}]],
    }


def _verl(answered: Answered) -> Arguments:
    return {
        "data_source": answered.sample.provenance.dataset,
        "solution_str": answered.text,
        "ground_truth": truth(answered.sample),
        "extra_info": {name: value for name, (value,) in columns(answered.sample).items()},
    }


def _verl_batch(answered: Answered) -> Arguments:
    one = _verl(answered)
    return {
        "data_sources": [one["data_source"]],
        "solution_strs": [one["solution_str"]],
        "ground_truths": [one["ground_truth"]],
        "extra_infos": [one["extra_info"]],
    }


def _easyr1_input(answered: Answered) -> Arguments:
    return {
        "response": answered.text,
        "response_length": len(answered.tokens),
        "ground_truth": truth(answered.sample),
    }


TRL: Final = Convention(
    name="TRL, completions as texts",
    sign=frozenset({"completions"}),
    arguments=_trl,
    batched=True,
    key="",
)
TRL_MESSAGES: Final = Convention(
    name="TRL, completions as chat messages",
    sign=TRL.sign,
    arguments=_trl_messages,
    batched=True,
    key="",
)
OTHERS: Final = (
    Convention(
        name="verl",
        sign=frozenset({"solution_str"}),
        arguments=_verl,
        batched=False,
        key="score",
    ),
    Convention(
        name="verl, in batches",
        sign=frozenset({"solution_strs"}),
        arguments=_verl_batch,
        batched=True,
        key="score",
    ),
    Convention(
        name="EasyR1, in batches",
        sign=frozenset({"reward_inputs"}),
        arguments=lambda answered: {"reward_inputs": [_easyr1_input(answered)]},
        batched=True,
        key="overall",
    ),
    Convention(
        name="EasyR1",
        sign=frozenset({"reward_input"}),
        arguments=lambda answered: {"reward_input": _easyr1_input(answered)},
        batched=False,
        key="overall",
    ),
    Convention(
        name="EasyR1, in its first versions",
        sign=frozenset({"predict", "predict_str"}),
        arguments=lambda answered: {
            "predict": answered.text,
            "predict_str": answered.text,
            "ground_truth": truth(answered.sample),
        },
        batched=False,
        key="overall",
    ),
)
KNOWN: Final = (
    "f(prompts, completions, **columns) of TRL, f(data_source, solution_str, ground_truth, "
    "extra_info) of verl, f(reward_inputs) of EasyR1"
)


def recognise(function: Callable[..., Any], path: str, messages: bool | None) -> Convention:
    """The convention that a function follows. ``messages``: whether it takes completions as chat
    messages; None: where its source reads their "content".

    Raises UserError for another signature.
    """
    if inspect.isclass(function):
        raise UserError(f"{path} is a class: give the path of a function, or of an instance")
    names = inspect.signature(function).parameters
    if TRL.sign & names.keys():
        return TRL_MESSAGES if (reads_messages(function) if messages is None else messages) else TRL
    found = next((one for one in OTHERS if one.sign & names.keys()), None)
    if found is None:
        raise UserError(
            f"the reward function {path}({', '.join(names)}) takes no completions; expected {KNOWN}"
        )
    return found


def reads_messages(function: Callable[..., Any]) -> bool:
    """Whether the source reads the "content" of something; False where it cannot be read."""
    plain = inspect.unwrap(function)
    routine = plain if inspect.isroutine(plain) else type(plain).__call__
    try:
        return bool(_READS_CONTENT.search(inspect.getsource(routine)))
    except (OSError, TypeError):
        return False


def accepted(function: Callable[..., Any], arguments: Arguments, path: str) -> Arguments:
    """Those of the arguments that the function takes. Raises UserError for one that it needs and
    does not get."""
    parameters = inspect.signature(function).parameters.values()
    needed = [
        one.name
        for one in parameters
        if one.default is one.empty and one.kind not in (one.VAR_KEYWORD, one.VAR_POSITIONAL)
    ]
    missing = [name for name in needed if name not in arguments]
    if missing:
        raise UserError(
            f"the reward function {path} needs the argument {', '.join(map(repr, missing))}, which "
            f"samples do not have: give it a default; there are {', '.join(sorted(arguments))}"
        )
    if any(one.kind is one.VAR_KEYWORD for one in parameters):
        return arguments
    names = {one.name for one in parameters}
    return {name: value for name, value in arguments.items() if name in names}
