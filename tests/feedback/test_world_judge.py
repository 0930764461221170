"""The judge finds in a text exactly what was planted, and says what it can of any other."""

import time

import numpy as np
import pytest
from handmade_scenes import scene, thing

from groundrl.feedback.annotators import WorldAnnotator
from groundrl.feedback.labels import SentenceError, describe_mismatch
from groundrl.feedback.world_judge import judge_caption, judge_sentences, label_assertions
from groundrl.grammar import GRAMMARS, get_grammar
from groundrl.language.splitting import split_sentences
from groundrl.world.captions.descriptions import boxed_caption, describe, plain_caption
from groundrl.world.captions.errors import EXACT, CaptionErrors
from groundrl.world.graph import SceneSpec, Subject
from groundrl.world.render import build_scene
from groundrl.world.source import SceneImage

ALL_WRONG = CaptionErrors(
    hallucination=0.3, attribute=0.3, relationship=0.4, location=0.4, conjecture=0.4
)
DESK = scene(
    thing("blue cup", x=-0.6, z=-0.5),
    thing("red lamp", x=0.6, z=0.5),
    thing("green box", x=-0.55, z=0.6),
    thing("gray box", x=0.0, z=-0.6),
)
"""The cup is left of the lamp and in front of it."""
H, A, R, L, C = SentenceError


@pytest.mark.slow
@pytest.mark.parametrize("errors", [EXACT, ALL_WRONG], ids=["exact", "erring"])
@pytest.mark.parametrize("subject", list(Subject))
def test_the_judge_finds_exactly_what_was_planted(errors: CaptionErrors, subject: Subject) -> None:
    found = set()
    for index in range(100):
        fewest = 1 if index % 5 == 0 else 3
        one = build_scene(SceneSpec(seed=3, index=index, subject=subject, min_objects=fewest))
        sentences = describe(one, np.random.default_rng(index), errors)
        segments = boxed_caption(sentences)
        plain = plain_caption(sentences)
        boxed = [get_grammar(name).render_segments(segments) for name in GRAMMARS]
        for text in (plain, f"<think></think><answer>{plain}</answer>", *boxed):
            planted = tuple(
                label_assertions(span, sentence.assertions, sentence.wrong)
                for span, sentence in zip(split_sentences(text), sentences, strict=True)
            )
            assert judge_caption(one, text) == planted
            assert describe_mismatch(text, planted) is None
            found |= {error for label in planted for error in label.errors}
    assert found == (set() if errors is EXACT else set(SentenceError))


@pytest.mark.parametrize(
    ("text", "errors"),
    [
        ("There is a blue cup and a lamp.", ()),
        ("There is a bottle.", (H,)),
        ("A bus drives by.", (H,)),
        ("There is no bottle.", ()),
        ("There is no cup.", (A,)),
        ("The red cup is nice.", (A,)),
        ("The cup is red.", (A,)),
        ("The cup is blue and the lamp is blue.", (A,)),
        ("The cup is green box paint.", ()),
        ("The boxes look brown.", (A,)),
        ("There are two boxes.", ()),
        ("There are three boxes and one cup.", (A,)),
        ("There is one box.", (A,)),
        ("There are boxes.", ()),
        ("The cup is left of the lamp.", ()),
        ("The cup is to the right of the lamp.", (R,)),
        ("The cup is not right of the lamp.", ()),
        ("The cup is left of the lamp and behind the lamp.", (R,)),
        ("The red cup is right of the red lamp.", (A, R)),
        ("The bottle is right of the lamp.", (H,)),
        ("The box is left of the lamp.", ()),
        ("The cup is on the lamp.", (R,)),
        ("The cup is on the left side of the image.", ()),
        ("The cup is in the middle of the image.", (L,)),
        ("The cup is left of the lamp on the right of the image.", ()),
        ("The cup is on the right.", (L,)),
        ("On the right side there is a cup.", (L,)),
        ("The cup is on the right side of the box.", ()),
        ("On the right of the picture there is a bottle.", (H,)),
        ("On the right of the picture there is a cup.", (L,)),
        ("Someone may soon drink from the red cup.", (C,)),
        ("It seems that someone wants the bottle.", (H, C)),
        ("It is a nice day.", ()),
        ("<obj>red cup</obj><bbox>[1, 2, 3", (A,)),
        ("[1,2,3,4 red cup] is [5,6,7,8 bottle", (H, A)),
        ("İ red CUP.", (A,)),
    ],
)
def test_what_a_sentence_says_is_read(text: str, errors: tuple[SentenceError, ...]) -> None:
    (label,) = judge_caption(DESK, text)
    assert label.errors == errors
    assert bool(label.severity) is bool(errors)


def test_a_borderline_relation_is_no_error_and_undecided() -> None:
    pair = scene(thing("red cup", x=0.0), thing("blue lamp", x=0.01))
    (judged,) = judge_sentences(pair, "The cup is left of the lamp.")
    assert judged.label.errors == ()
    assert (R, None) in judged.verdicts
    assert not judged.label.creative


def test_a_true_relation_or_place_is_more_than_naming_objects() -> None:
    text = "There is a cup. The cup is left of the lamp. The red cup is left of the lamp."
    assert [label.creative for label in judge_caption(DESK, text)] == [False, True, False]
    assert [label.severity for label in judge_caption(DESK, text)] == [0, 0, 2]


@pytest.mark.slow
@pytest.mark.parametrize(
    "unit", ["cup", "cup.", "cup is red and ", "[", "<obj>", '{"bbox_2d": [', "a cup is ", "1 ",
             "on the left of the image cup ", "not "],
)  # fmt: skip
def test_a_long_text_is_judged_in_linear_time(unit: str) -> None:
    start = time.process_time()
    judge_caption(DESK, unit * (100_000 // len(unit)))
    assert time.process_time() - start < 5


def test_an_annotator_without_noise_says_what_the_judge_says() -> None:
    image, text = street()
    exact = WorldAnnotator()("one", image, "What is there?", text)
    assert exact.sentences == judge_caption(build_scene(image.spec), text)
    assert (exact.text, exact.annotator) == (text, "exact")


def test_an_annotator_turns_as_many_labels_round_as_its_rate_says() -> None:
    image, text = street()
    annotator = WorldAnnotator(name="ann", flip_rate=0.2, seed=3)
    true = [bool(label.errors) for label in judge_caption(build_scene(image.spec), text)]
    flips = []
    for number in range(300):
        labelled = annotator(str(number), image, "", text)
        assert labelled.sentences is not None
        assert describe_mismatch(text, labelled.sentences) is None
        given = [bool(label.errors) for label in labelled.sentences]
        flips += [a != b for a, b in zip(true, given, strict=True)]
    assert np.mean(flips) == pytest.approx(0.2, abs=0.03)
    assert annotator("1", image, "", text) == annotator("1", image, "", text)
    everything = WorldAnnotator(flip_rate=1.0)("1", image, "", text).sentences
    assert everything is not None
    assert [bool(label.errors) for label in everything] == [not wrong for wrong in true]


def street() -> tuple[SceneImage, str]:
    """An image of the world and a caption that errs."""
    spec = SceneSpec(seed=3, index=1, subject=Subject.STREET)
    sentences = describe(build_scene(spec), np.random.default_rng(1), ALL_WRONG)
    return SceneImage(spec=spec), plain_caption(sentences)
