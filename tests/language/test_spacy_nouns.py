"""Nouns told by a tagger of spaCy, where it is installed."""

from importlib.util import find_spec

import pytest

from groundrl.config_node import ConfigNode
from groundrl.errors import UserError
from groundrl.language.nouns import NounFinder
from groundrl.language.spacy_nouns import SpacyNouns

MODEL = "en_core_web_sm"


def test_a_missing_pipeline_is_named_with_what_to_type() -> None:
    missing = "no_such_pipeline"
    with pytest.raises(UserError, match=f"model={missing}.*type .*spacy download {missing}"):
        SpacyNouns(model=missing)
    node = ConfigNode(path="nouns", options={"model": missing}, tree={})
    (problem,) = SpacyNouns.config_problems(node)
    assert f"nouns.model={missing}" in problem


@pytest.mark.slow
@pytest.mark.skipif(
    find_spec("spacy") is None or find_spec(MODEL) is None, reason=f"{MODEL} is not installed"
)
def test_a_tagger_tells_nouns_from_verbs() -> None:
    finder = SpacyNouns(model=MODEL)
    assert isinstance(finder, NounFinder)
    text = "A man watches two <obj>dogs</obj><bbox>[1, 2, 3, 4]</bbox> and a fire hydrant."
    assert [noun.name for noun in finder(text)] == ["man", "dog", "fire hydrant"]
