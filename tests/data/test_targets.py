"""What worked answers of the world consist of."""

from typing import Any

from hydra.utils import instantiate
from omegaconf import OmegaConf

from groundrl.boxes import Frame, ImageSizes
from groundrl.data.datasets import WorldDataset
from groundrl.data.module import GroundingDataModule
from groundrl.data.world_captions import WorldCaptions
from groundrl.grammar import get_grammar
from groundrl.prompts import PromptTemplate
from groundrl.records import Grounding, Sample

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


def test_a_caption_is_an_answer_that_loses_its_boxes_at_most() -> None:
    full = WorldCaptions(seed=3, size=1)[0]
    assert any(isinstance(part, Grounding) for part in full.rationale or ())
    for target in ("rationale", "answer_only"):
        assert WorldCaptions(seed=3, size=1, target=target)[0].rationale == (told(full),)
