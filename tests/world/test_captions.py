"""Captions: every object once, every statement true."""

import re

import numpy as np
import pytest
from handmade_scenes import random_scene, scene, thing

from groundrl.records import Grounding
from groundrl.relations import Relation
from groundrl.world.captions.captions import caption
from groundrl.world.graph import Scene
from groundrl.world.relations import relations

SCENES = [random_scene(index) for index in range(60)]
STATED = sorted(Relation, key=len, reverse=True)


def written(one: Scene) -> tuple[str, list[Grounding]]:
    """The caption with each object replaced by its number in the scene: "A <0> is left of …"."""
    segments = caption(one, np.random.default_rng(one.spec.index))
    boxes = [o.box for o in one.objects]
    text = "".join(
        part if isinstance(part, str) else f"<{boxes.index(part.box)}>" for part in segments
    )
    return text, [part for part in segments if isinstance(part, Grounding)]


@pytest.mark.parametrize("one", SCENES, ids=lambda one: str(one.spec.index))
def test_a_caption_points_at_every_object_once(one):
    _, groundings = written(one)
    assert sorted(g.box.corners for g in groundings) == sorted(o.box.corners for o in one.objects)
    assert {g.label for g in groundings} == {f"{o.color} {o.category}" for o in one.objects}


@pytest.mark.parametrize("one", SCENES, ids=lambda one: str(one.spec.index))
def test_every_relation_of_a_caption_is_true(one):
    text, _ = written(one)
    facts = set(relations(one))
    phrase = rf"({'|'.join(STATED)}) an? <(\d)>"
    for sentence in text.split(". "):
        if not (subject := re.search(r"<(\d)> is ", sentence)):
            continue
        said = re.findall(phrase, sentence)
        assert said
        assert {(int(subject[1]), Relation(r), int(j)) for r, j in said} <= facts


def test_captions_state_relations_and_read_as_sentences():
    texts = [written(one)[0] for one in SCENES]
    assert sum(" is " in re.sub("[Tt]here is", "", text) for text in texts) > 50
    for text in texts:
        assert re.fullmatch(r"([A-Z][a-z0-9<>, ]+\. ?)+", text)
        assert "  " not in text
        assert text.count(". ") <= 2


def test_a_pair_side_by_side_is_one_sentence():
    pair = scene(thing("red cup", x=-0.5), thing("orange ball", x=0.5))
    assert written(pair)[0] in (
        "On the table, a <0> is left of an <1>.",
        "On the table, an <1> is right of a <0>.",
    )


def test_equal_seeds_write_equal_captions():
    assert written(SCENES[0]) == written(SCENES[0])
