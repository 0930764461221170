"""Captions of the world as samples: what is learned may err, what is true is beside it."""

from dataclasses import replace

import pytest

from groundrl.answers.attempt import read_attempt
from groundrl.boxes import Frame, ImageSizes
from groundrl.data.datasets import WorldDataset
from groundrl.data.module import GroundingDataModule
from groundrl.data.world_captions import DESCRIBE, WorldCaptions
from groundrl.errors import UserError
from groundrl.evaluation.benchmarks.captions import caption_text
from groundrl.feedback.world_judge import judge_caption
from groundrl.grammar import GRAMMARS, get_grammar
from groundrl.prompts import PromptTemplate
from groundrl.records import Completion, Grounding, RolloutGroup
from groundrl.world.captions.errors import CaptionErrors
from groundrl.world.render import build_scene

SIZES = ImageSizes(width=160, height=160, model_width=160, model_height=160)
ERRING = CaptionErrors(hallucination=0.4, attribute=0.4, relationship=0.4, location=0.4)


def test_a_caption_asks_without_options_and_has_no_right_answer() -> None:
    plain = WorldCaptions(seed=3, size=4, boxes=False)[1]
    assert (plain.question, plain.options, plain.answers) == (DESCRIBE, (), ())
    assert plain.groundings == ()
    assert plain.rationale is not None
    (words,) = plain.rationale
    source = WorldCaptions(seed=3, size=4)
    boxed, scene = source[1], build_scene(source.spec(1))
    assert boxed.groundings == tuple(one.grounding for one in scene.objects)
    assert words == "".join(p if isinstance(p, str) else p.label for p in boxed.rationale or ())
    assert WorldCaptions(seed=3, size=9)[1] == boxed


@pytest.mark.parametrize("name", GRAMMARS)
@pytest.mark.parametrize("boxes", [False, True])
def test_a_caption_is_learned_as_the_answer_and_read_back_as_a_caption(
    name: str, boxes: bool
) -> None:
    grammar = get_grammar(name)
    source = WorldCaptions(seed=3, size=20, errors=ERRING, boxes=boxes)
    for index in range(20):
        sample, scene = source[index], build_scene(source.spec(index))
        text = grammar.render(PromptTemplate().response(sample, SIZES, Frame.PERMILLE))
        completion = Completion(text=text, tokens=(), logprobs=(), truncated=False)
        group = RolloutGroup(sample=sample, sizes=SIZES, completions=(completion,))
        attempt = read_attempt(group, completion, grammar, Frame.PERMILLE)
        assert attempt.parsed.well_formed
        linked = [part for part in sample.rationale or () if isinstance(part, Grounding)]
        assert [one.label for one in attempt.parsed.groundings] == [one.label for one in linked]
        # The sentences of the completion are those of the caption.
        errors = [label.errors for label in judge_caption(scene, text)]
        assert [label.errors for label in judge_caption(scene, caption_text(attempt))] == errors
        assert any(errors) or index > 0


def test_what_errs_is_the_caption_to_learn_and_nothing_else() -> None:
    exact, erring = (
        WorldCaptions(seed=3, size=1, errors=errors)[0] for errors in (CaptionErrors(), ERRING)
    )
    assert exact.rationale != erring.rationale
    assert replace(exact, rationale=None) == replace(erring, rationale=None)


def test_held_out_captions_of_the_scenes_of_training_are_refused() -> None:
    train = WorldCaptions(seed=0, size=2)
    with pytest.raises(UserError, match="shows the scenes of the training set"):
        GroundingDataModule(train=train, heldout={"val": WorldDataset(seed=0, size=2)})
    with pytest.raises(UserError, match="look=oil is unknown"):
        WorldCaptions(seed=0, size=1, look="oil")
