"""What worked answers of the world consist of."""

from typing import Any

import pytest
from hydra.utils import instantiate
from omegaconf import OmegaConf

from groundrl.boxes import Frame, ImageSizes
from groundrl.data.datasets import WorldDataset
from groundrl.data.module import GroundingDataModule
from groundrl.data.targets import place_of, worked_answer
from groundrl.data.world_captions import WorldCaptions
from groundrl.errors import UserError
from groundrl.grammar import get_grammar
from groundrl.prompts import PromptTemplate
from groundrl.records import Grounding, Sample
from groundrl.world.graph import SceneSpec
from groundrl.world.questions import sample_question

SIZES = ImageSizes(width=160, height=160, model_width=160, model_height=160)


def told(sample: Sample) -> str:
    """The worked answer, with labels in the place of boxes."""
    parts = sample.rationale or ()
    return "".join(part.label if isinstance(part, Grounding) else part for part in parts)


def text(sample: Sample) -> str:
    """What the warm-up learns to write."""
    return get_grammar("obj_bbox").render(PromptTemplate().response(sample, SIZES, Frame.PERMILLE))


def world(**values: Any) -> GroundingDataModule:
    node = OmegaConf.merge(OmegaConf.load("conf/data/world.yaml"), values)
    return instantiate(OmegaConf.create({"rationale": "look_first", "data": node}).data)


def test_the_worlds_worked_answers_have_no_more_than_their_target() -> None:
    full = WorldDataset(seed=0, size=20)
    for target in ("rationale", "answer_only"):
        less = world(target=target)
        for index in range(20):
            one, sample = less.train[index], full[index]
            assert told(one) == (told(sample) if target == "rationale" else "")
            assert ("<bbox>" in text(one)) is False
            assert text(one).endswith(f"<answer>{', '.join(sample.answers)}</answer>")
            assert (one.question, one.groundings) == (sample.question, sample.groundings)
    assert {source.target for source in less.heldout.values()} == {"answer_only"}  # pyright: ignore
    assert world().train[0] == full[0]


def test_the_chosen_share_of_worked_answers_keeps_its_boxes() -> None:
    full, words = world(), world(target="rationale")
    pointed, plain, mixed = (world(boxed_share=share) for share in (1.0, 0.0, 0.5))
    for index in range(20):
        sample = full.train[index]
        assert pointed.train[index] == sample
        assert plain.train[index] == words.train[index] != sample
        assert mixed.train[index] == (sample if place_of(sample.id) < 0.5 else words.train[index])
    assert {"<bbox>" in text(mixed.train[index]) for index in range(20)} == {True, False}
    with pytest.raises(UserError, match=r"boxed_share=1.5 is no share: type data\.boxed_share=0.5"):
        WorldDataset(seed=0, size=1, boxed_share=1.5)


def test_boxes_that_are_the_answer_stay() -> None:
    located = sample_question(SceneSpec(seed=5, index=0), ["locate"])
    caption = WorldCaptions(seed=3, size=1)[0]
    for sample in (located, caption):
        assert worked_answer(sample, "boxed_rationale", boxed_share=0.0) == sample


def test_places_of_ids_are_spread_evenly() -> None:
    places = [place_of(f"sample-{number}") for number in range(2000)]
    assert all(0 <= place < 1 for place in places)
    assert sum(place < 0.3 for place in places) / 2000 == pytest.approx(0.3, abs=0.04)


def test_a_caption_is_an_answer_that_loses_its_boxes_at_most() -> None:
    full = WorldCaptions(seed=3, size=1)[0]
    assert any(isinstance(part, Grounding) for part in full.rationale or ())
    for target in ("rationale", "answer_only"):
        assert WorldCaptions(seed=3, size=1, target=target)[0].rationale == (told(full),)
