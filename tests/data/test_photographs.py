"""Real photographs through the embedded model's processor: tokens, boxes and rewards."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from groundrl.boxes import Frame, convert
from groundrl.data.datasets import detections
from groundrl.data.detection.yolo import YoloLayout
from groundrl.grammar import get_grammar
from groundrl.policy.policy import Policy
from groundrl.policy.shared_prefix.layout import Branch
from groundrl.prompts import PromptTemplate
from groundrl.records import Completion, RolloutGroup, Sample
from groundrl.rewards.base import RewardSum
from groundrl.rewards.terms.iou import Iou

SHARED = Path(__file__).parents[3] / "shared/data/coco/object_detection"

pytestmark = pytest.mark.skipif(
    not SHARED.is_dir(), reason=f"needs photographs with YOLO labels in {SHARED}"
)


@pytest.fixture(scope="module")
def samples() -> list[Sample]:
    """Questions about photographs of different shapes."""
    chosen = {}
    for sample in detections(YoloLayout(), SHARED, "val").samples:
        if sample.groundings and sample.rationale:
            chosen.setdefault((sample.image.width, sample.image.height), sample)
    return list(chosen.values())[:6]


@pytest.mark.slow
def test_a_photograph_costs_at_most_64_image_tokens(
    make_policy: Callable[..., Policy], samples: list[Sample]
) -> None:
    policy = make_policy("lora")
    for sample in samples:
        prompt = policy.encode(sample)
        image_tokens = (prompt.prefix.tokens == policy.vlm.config.image_token_id).sum()
        assert 4 <= image_tokens <= 64
        shape = prompt.sizes.model_width / prompt.sizes.model_height
        assert shape == pytest.approx(sample.image.width / sample.image.height, rel=0.2)


@pytest.mark.parametrize("frame", [Frame.PERMILLE, Frame.MODEL])
def test_the_worked_answer_about_a_photograph_earns_the_full_box_reward(
    make_policy: Callable[..., Policy], samples: list[Sample], frame: Frame
) -> None:
    policy, grammar = make_policy("lora"), get_grammar("obj_bbox")
    reward = RewardSum(terms={"iou": Iou()}, grammar=grammar, frame=frame)
    for sample in samples:
        sizes = policy.encode(sample).sizes
        text = grammar.render(PromptTemplate().response(sample, sizes, frame))
        group = RolloutGroup(
            sample=sample,
            sizes=sizes,
            completions=(Completion(text=text, tokens=(1,), logprobs=(0.0,), truncated=False),),
        )
        ((read,),) = reward([group])
        parsed = read.attempt.predicted_boxes
        # Whole numbers cost up to half a unit of the frame per side.
        unit = sample.image.width / (1000 if frame is Frame.PERMILLE else sizes.model_width)
        for box, truth in zip(parsed, sample.groundings, strict=True):
            assert box.frame is Frame.PIXEL
            assert box.corners == pytest.approx(truth.box.corners, abs=1.2 * unit)
            back = convert(convert(truth.box, frame, sizes), Frame.PIXEL, sizes)
            assert back.corners == pytest.approx(truth.box.corners, abs=1e-6)


def test_photographs_of_different_shapes_share_a_forward_pass(
    make_policy: Callable[..., Policy], samples: list[Sample]
) -> None:
    policy = make_policy("lora")
    prompts = [policy.encode(sample) for sample in samples[:3]]
    answers = [[Branch(tokens=[30, 31]), Branch(tokens=[32])] for _ in prompts]
    with torch.no_grad():
        together = policy.logprobs(prompts, answers).logprobs
        alone = policy.logprobs(prompts[1:2], answers[1:2]).logprobs
    torch.testing.assert_close(together[2:4], alone, atol=2e-5, rtol=1e-5)
