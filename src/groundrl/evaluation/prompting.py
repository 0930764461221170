"""How a benchmark's question is put to a model that takes instructions."""

from dataclasses import replace
from typing import Literal

from groundrl.grammar.base import Grammar
from groundrl.prompts import PromptTemplate
from groundrl.records import Form

Prompting = Literal["grounded", "direct"]
"""Reason with boxes first, as in training; or the answer alone."""

_WANTED = {
    Form.YES_NO: "answer yes or no",
    Form.TRUE_FALSE: "answer true or false",
    Form.BOX: "name the one object that is meant",
    Form.TEXT: "give your answer",
}
_POINTING = {
    Form.BOX: "Point at the object that is meant, and at nothing else, as {syntax}",
}
DIRECT = {
    Form.YES_NO: "Answer yes or no.",
    Form.TRUE_FALSE: "Answer true or false.",
    Form.BOX: "Answer with the object as {syntax}.",
    Form.TEXT: "",
}
"""Instructions that ask for the answer alone."""
_CHOICES = {
    "letters": "Answer with the letter, or the letters separated by commas.",
    "words": "Answer with the option, or the options separated by commas.",
}


def choose_template(
    template: PromptTemplate, form: Form, grammar: Grammar, prompting: Prompting
) -> PromptTemplate:
    """The model's own template where it fits: training and evaluation then ask alike.

    Its instruction asks for options; other forms get one that differs in what is asked for only.
    A model without instruction learned its form by examples and is asked the bare question.
    """
    if prompting == "direct":
        asked = _CHOICES[template.answer_style] if form is Form.OPTIONS else DIRECT[form]
        return replace(template, instruction=asked.format(syntax=grammar.syntax))
    if not template.instruction or form is Form.OPTIONS:
        return template
    pointing = _POINTING.get(form, "Name every object you look at as {syntax}")
    return replace(
        template,
        instruction=f"Reason inside <think> and </think>. {pointing.format(syntax=grammar.syntax)}."
        f" Then {_WANTED[form]} inside <answer> and </answer>.",
    )
