"""Captions of the world: shares of what they say that is wrong, by the scenes themselves."""

import numpy as np
import pytest
from replies import figures, reply

from groundrl.data.world_captions import WorldCaptions
from groundrl.evaluation.benchmarks.world_caption import WorldCaption
from groundrl.records import Sample
from groundrl.world.captions.descriptions import describe, plain_caption
from groundrl.world.captions.errors import EXACT, CaptionErrors
from groundrl.world.render import build_scene
from groundrl.world.source import SceneImage

BENCHMARK = WorldCaption(size=60, detailed=True, subjects=("tabletop",))


def say(sample: Sample, errors: CaptionErrors) -> str:
    """A description of the sample's scene."""
    assert isinstance(sample.image, SceneImage)
    spec = sample.image.spec
    scene = build_scene(spec)
    return plain_caption(describe(scene, np.random.default_rng(spec.index), errors))


def test_descriptions_are_asked_for_as_they_are_in_training() -> None:
    asked, learned = BENCHMARK.questions().samples[0], WorldCaptions(seed=0, size=1)[0]
    assert asked.provenance == learned.provenance
    assert (asked.question, asked.kind) == (learned.question, learned.kind)
    assert asked.answers


@pytest.mark.slow
def test_exact_descriptions_have_no_errors() -> None:
    found = figures(BENCHMARK, BENCHMARK.questions().samples, lambda one: say(one, EXACT))
    assert (found["chair_i"], found["recall"]) == (0, 1)
    shares = [f"{kind}_errors" for kind in ("attribute", "relationship", "location")]
    assert {found[name] for name in (*shares, "wrong_sentences", "errors", "conjectures")} == {0}
    assert 4 <= found["sentences"] <= 7


@pytest.mark.slow
def test_planted_errors_are_counted_by_kind() -> None:
    errors = CaptionErrors(
        hallucination=0.25, attribute=0.2, relationship=0.3, location=0.4, conjecture=0.5
    )
    found = figures(BENCHMARK, BENCHMARK.questions().samples, lambda one: say(one, errors))
    assert found["chair_i"] == pytest.approx(0.25, abs=0.07)
    assert found["attribute_errors"] == pytest.approx(0.2, abs=0.1)
    assert found["relationship_errors"] == pytest.approx(0.3, abs=0.12)
    assert found["location_errors"] == pytest.approx(0.4, abs=0.15)
    assert found["conjectures"] == pytest.approx(0.5, abs=0.15)


def test_errors_of_one_caption_are_counted_by_hand() -> None:
    (sample,) = WorldCaption(size=1, detailed=True).questions().samples
    absent = next(noun for noun in ("cup", "book", "bottle") if noun not in sample.answers)
    there = sample.answers[0]
    text = f"There is a {there}. I see a brown {there}. Someone may open the {absent}."
    scores = BENCHMARK.score(reply(sample, text))
    assert (scores["attribute_said"], scores["attribute_wrong"]) == (1, 1)
    assert (scores["errors"], scores["sentences"], scores["invented"]) == (3, 3, 1)
    assert (scores["conjecture_said"], scores["wrong_sentences"]) == (1, 2)
