"""Of a box that is written into a sentence its label remains."""

import pytest

from groundrl.boxes import Box, Frame
from groundrl.grammar import GRAMMARS, get_grammar
from groundrl.language.markup import without_boxes
from groundrl.records import Grounding

CUP = Grounding(label="red cup", box=Box(x1=1.0, y1=2.0, x2=30.0, y2=40.0, frame=Frame.PIXEL))


@pytest.mark.parametrize("name", GRAMMARS)
def test_a_box_of_any_grammar_leaves_its_label(name: str) -> None:
    text = get_grammar(name).render_segments(("The ", CUP, " is near 2 cars, I think."))
    assert without_boxes(text) == "The red cup is near 2 cars, I think."
    assert without_boxes(f"<think></think><answer>{text}</answer>") == without_boxes(text)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("<obj>red cup</obj><bbox>[1, 2, 30", "red cup"),
        ("<obj>red cup</obj><bbox>1, 2]</bbox>", "red cup1, 2"),
        ("[1,2,30,40 red cup", "red cup"),
        ("a < b and 2 [or 3]", "a < b and 2 or 3"),
    ],
)
def test_a_damaged_box_leaves_its_words(text: str, words: str) -> None:
    assert without_boxes(text) == words
