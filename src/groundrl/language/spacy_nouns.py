"""Nouns told from verbs by a tagger of spaCy."""

from collections.abc import Iterable, Iterator, Sequence
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from groundrl.config_node import ConfigNode
from groundrl.errors import UserError
from groundrl.language.lexicon import Lexicon
from groundrl.language.noun_context import Candidate, Token, blank_markup, is_english, read_tokens
from groundrl.language.nouns import Noun, collect_nouns


class SpacyNouns:
    """``LexiconNouns`` with a pipeline of spaCy in the place of its rules for verbs."""

    def __init__(
        self,
        *,
        model: str = "en_core_web_sm",
        also: Iterable[str] = (),
        never: Iterable[str] = (),
    ) -> None:
        """``model``: an installed pipeline with a tagger. ``also`` and ``never``: nouns in the
        singular that join and leave the lexicon. Raises UserError for what is not installed."""
        for problem in _missing(model, "model"):
            raise UserError(problem)
        self._lexicon = Lexicon(also=also, never=never)
        self._tag: Any = import_module("spacy").load(model, exclude=["ner", "lemmatizer", "parser"])

    @classmethod
    def config_problems(cls, node: ConfigNode) -> Iterator[str]:
        """spaCy or the pipeline is missing."""
        yield from _missing(node.options.get("model", "en_core_web_sm"), f"{node.path}.model")

    def __call__(self, text: str) -> list[Noun]:
        """See ``NounFinder``."""
        plain = blank_markup(text)
        tokens = read_tokens(plain)
        if not is_english(tokens):
            return []
        # Marks are no words: the tagger reads blanks instead.
        tagged = self._tag("".join(c if c.isprintable() else " " for c in plain))
        nouns = {word.idx for word in tagged if word.pos_ in ("NOUN", "PROPN")}

        def decide(tokens: Sequence[Token], candidate: Candidate) -> bool:
            last = tokens[candidate.stop - 1]
            return last.start in nouns and not last.hyphened

        return collect_nouns(tokens, self._lexicon, decide)


def _missing(model: str, option: str) -> Iterator[str]:
    if find_spec("spacy") is None:
        yield (
            f"{option}={model} needs spaCy, which is not installed: type pip install spacy and "
            f"python -m spacy download {model}, or take nouns=lexicon"
        )
    elif find_spec(model) is None:
        yield (
            f"{option}={model}: spaCy has no such pipeline; type python -m spacy download {model}, "
            "or name an installed one"
        )
