"""What a question may be."""

import unicodedata

from groundrl.errors import UserError
from groundrl.evaluation.benchmarks.base import Form
from groundrl.evaluation.prompting import choose_template
from groundrl.grammar.base import Grammar
from groundrl.policy.processor import Processor
from groundrl.prompts import PromptTemplate
from groundrl.records import ImageSource, Provenance, Sample

MOST_CHARACTERS = 4000
"""Of a question; the prompts of all models have room for them beside an image."""


def check_question(text: str) -> str:
    """The question without blanks around it. Raises UserError where there is none to ask."""
    question = text.strip()
    if not question:
        raise UserError('the question is empty: type it last, "Where is the red cup?"')
    if len(question) > MOST_CHARACTERS:
        raise UserError(
            f"the question has {len(question):,} characters, and at most {MOST_CHARACTERS:,} can "
            "be asked: shorten it"
        )
    if any(map(is_control, question)):
        raise UserError("the question has control characters in it: type it as plain text")
    return question


def is_control(character: str) -> bool:
    """Whether it steers a terminal or is no character at all (a byte outside UTF-8); line ends and
    tabs do neither."""
    return character not in "\n\t" and unicodedata.category(character) in ("Cc", "Cs")


def check_no_control_tokens(question: str, processor: Processor) -> None:
    """Raise UserError for a question that would end the user's turn or pretend to be an image."""
    found = sorted(token for token in control_tokens(processor) if token in question)
    if found:
        raise UserError(
            f"the question contains control tokens of the model, {', '.join(found)}: leave them out"
        )


def control_tokens(processor: Processor) -> set[str]:
    """Texts that the tokenizer reads as parts of the conversation's form, not as words."""
    added = processor.tokenizer.added_tokens_decoder.values()
    special = {str(token) for token in added if token.special}
    return special | {*processor.tokenizer.all_special_tokens, processor.image_token}


def make_sample(image: ImageSource, question: str) -> Sample:
    """A sample without a known answer."""
    provenance = Provenance(dataset="asked", split="asked")
    return Sample(id=image.key, image=image, question=question, provenance=provenance)


def open_template(template: PromptTemplate, grammar: Grammar) -> PromptTemplate:
    """The model's own template; an instruction that asks for options asks for an answer instead."""
    return choose_template(template, Form.TEXT, grammar, "grounded")
