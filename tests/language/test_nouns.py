"""Nouns that a detector can look for are found, verbs and abstract words are not."""

import itertools
import json
import re
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from handmade_scenes import random_scene
from hypothesis import given
from hypothesis import strategies as st

from groundrl.evaluation.benchmarks.chair import COCO_CLASSES
from groundrl.grammar import GRAMMARS
from groundrl.language.nouns import LexiconNouns, NounFinder
from groundrl.language.synonyms import usual_name
from groundrl.language.words import plural
from groundrl.world.captions.captions import caption
from groundrl.world.vocabulary import CLASSES

find_nouns = LexiconNouns()


def names(text: str, finder: NounFinder = find_nouns) -> list[str]:
    """The names of the nouns, in order."""
    return [noun.name for noun in finder(text)]


def checked_captions() -> Iterator[tuple[str, set[tuple[int, int, str]]]]:
    """Captions with start, stop and name of each noun, written and marked by hand.

    In ``nouns.jsonl`` a noun stands in square brackets, with its name behind "=" unless that is how
    it is written: "Two [dogs=dog] on a [mat]".
    """
    rows = (Path(__file__).parent / "nouns.jsonl").read_text(encoding="utf-8").splitlines()
    for row in rows:
        text, nouns = "", set[tuple[int, int, str]]()
        for plain, word, name in re.findall(
            r"([^\[]*)(?:\[([^\]=]+)=?([^\]]*)\])?", json.loads(row)["caption"]
        ):
            text += plain
            if word:
                nouns.add((len(text), len(text) + len(word), name or word.lower()))
            text += word
        yield text, nouns


def test_of_the_nouns_checked_by_hand_few_are_missed_and_few_others_are_found() -> None:
    # Measured: 369 of 371 found, and 2 others. A noun counts by its place and its name.
    found, right, there = 0, 0, 0
    for text, nouns in checked_captions():
        got = {(noun.start, noun.stop, noun.name) for noun in find_nouns(text)}
        found, right, there = found + len(got), right + len(got & nouns), there + len(nouns)
    assert there >= 350
    assert right / found >= 0.985
    assert right / there >= 0.985


@pytest.mark.parametrize("name", [*CLASSES, *COCO_CLASSES])
def test_every_class_is_found_as_one_and_as_several(name: str) -> None:
    expected = {usual_name(name), "ski" if name == "skis" else usual_name(name)}
    many = plural(name)
    for text in (name, f"There is a red {name}.", f"Two {many} are near.", f"I see small {many}."):
        assert len(names(text)) == 1
        assert {*names(text)} <= expected


@pytest.mark.parametrize("grammar", GRAMMARS.values(), ids=lambda grammar: grammar.name)
@pytest.mark.parametrize("index", range(20))
def test_a_caption_of_the_world_names_its_objects_in_every_grammar(grammar, index) -> None:
    scene = random_scene(index)
    text = grammar.render_segments(caption(scene, np.random.default_rng(index)))
    objects = Counter(one.category for one in scene.objects)
    assert Counter(names(text)) - Counter(["table", "street"]) == objects


@pytest.mark.parametrize(
    ("text", "nouns"),
    [
        ("A dog watches two men.", ["dog", "man"]),
        ("Two men wear watches.", ["man", "watch"]),
        ("A man and a boy walk their dogs.", ["man", "boy", "dog"]),
        ("They park near a park bench.", ["park bench"]),
        ("An orange and an orange cat", ["orange", "cat"]),
        ("The mug is orange.", ["mug"]),
        ("a sofa, a fridge and an aeroplane", ["couch", "refrigerator", "airplane"]),
        ("a pizza box", ["box"]),
        ("a horse-drawn carriage", ["carriage"]),
        ("a man's hat", ["man", "hat"]),
        ("On the other hand, it is 11 o'clock.", []),
        ("In the background of the image, a series of items is on the left.", []),
        ("The body of this device covers a surface of silk, overall.", []),
        ("There are no cars or trucks, only a bus.", ["bus"]),
        ("A man without a hat; this is not a dog.", ["man"]),
        ("The no parking sign is red.", ["sign"]),
        ("犬がいる。", []),
        ("Le chien est sur la table avec une orange.", []),
        ("Der Hund sitzt auf der Bank.", []),
        ("", []),
    ],
)
def test_what_a_sentence_says_is_there_is_found(text: str, nouns: list[str]) -> None:
    assert names(text) == nouns


@pytest.mark.parametrize(
    ("text", "nouns"),
    [
        ("<img alt=dog> a cup", ["cup"]),
        ("a <obj>red stand</obj><bbox>[1, 2, 3, 4]</bbox> falls", ["stand"]),
        ("a [1,2,3,4 red cup] left of a [5,6,7,8 blue cup]", ["cup", "cup"]),
        ("The red cup [1,2,3,4 red cup] is full.", ["cup"]),
        ("no cups [1,2,3,4 cups]", []),
        ('{"bbox_2d": [1, 2, 3, 4], "label": "vase"}', ["vase"]),
        ("<|object_ref_start|>a bus<|object_ref_end|><|box_start|>(1,2),(3,4)<|box_end|>", ["bus"]),
    ],
)
def test_of_markup_the_labels_count_once(text: str, nouns: list[str]) -> None:
    assert names(text) == nouns


def test_nouns_join_and_leave_the_lexicon() -> None:
    finder = LexiconNouns(also=["platelet", "Red Cell"], never=["dog"])
    assert isinstance(finder, NounFinder)
    assert names("two platelets, red cells and a dog", finder) == ["platelet", "red cell"]


@given(st.lists(st.sampled_from([*"<>[].,-' \n12", "a ", "no ", "dogs ", "stand", "é", "İ", "犬"])))
def test_nouns_of_any_text_stand_in_order_and_cover_letters(parts: list[str]) -> None:
    text = "".join(parts)
    nouns = find_nouns(text)
    assert all(text[noun.start].isalpha() and text[noun.stop - 1].isalpha() for noun in nouns)
    assert all(a.stop <= b.start for a, b in itertools.pairwise(nouns))


@pytest.mark.slow
@pytest.mark.parametrize(
    "unit", ["dog ", "[1", "[1,2 a", "a <", "no ", "a-", "men and ", "on the other ", "犬がいる。"]
)
def test_a_long_text_takes_linear_time(unit: str) -> None:
    def seconds(length: int) -> float:
        text = (unit * length)[:length]
        begin = time.process_time()
        find_nouns(text)
        return time.process_time() - begin

    find_nouns("a dog")
    assert min(seconds(100_000) for _ in range(2)) < 30 * max(seconds(10_000), 0.01)
