"""Statements about the world: balanced, or biased by what they say or by the light."""

from collections import Counter
from functools import partial

import numpy as np
import pytest

from groundrl.data.survey import guess_from_text
from groundrl.data.undersampling import Undersampling
from groundrl.data.world_statements import (
    USUAL_TINT,
    USUAL_TRUTH,
    WorldStatements,
    statements_module,
)
from groundrl.errors import UserError
from groundrl.questions.yes_no import TRUE_FALSE
from groundrl.records import Sample
from groundrl.world.quarters import AUGMENTED
from groundrl.world.tint import Tint, TintedImage


def drawn(size: int, **options: object) -> tuple[Sample, ...]:
    return WorldStatements(seed=4, size=size, **options).samples().samples  # type: ignore[arg-type]


def usual_share(samples: tuple[Sample, ...]) -> float:
    """Accuracy of the best guess from the cue alone."""
    counts = Counter((sample.kind, sample.answers[0]) for sample in samples)
    cues = {cue for cue, _ in counts}
    return sum(max(counts[cue, word] for word in TRUE_FALSE.values()) for cue in cues) / len(
        samples
    )


def test_half_of_the_statements_of_each_relation_are_true() -> None:
    counts = Counter((sample.kind, sample.answers[0]) for sample in drawn(48))
    assert len(counts) == 12
    assert set(counts.values()) == {4}


def test_statements_about_both_looks_are_the_same_ones() -> None:
    plain, photo = drawn(12), drawn(12, look="photo")
    assert [one.question for one in plain] == [one.question for one in photo]
    assert [one.groundings for one in plain] == [one.groundings for one in photo]
    assert plain[0].image.key != photo[0].image.key
    assert {one.provenance.split for one in photo} == {"tabletop-photo"}


def test_quarters_show_the_same_statements_with_an_explanation() -> None:
    for scene, page in zip(drawn(6), drawn(6, view="quarters"), strict=True):
        assert page.question == f"{AUGMENTED} {scene.question}"
        assert page.groundings == scene.groundings
        assert page.image.load().size == (320, 320)


def test_with_the_relation_as_cue_each_has_a_label_of_its_own() -> None:
    for sample in drawn(24, usual=1.0):
        truth = next(truth for relation, truth in USUAL_TRUTH.items() if relation == sample.kind)
        assert sample.answers == (TRUE_FALSE[truth],)


def test_with_the_light_as_cue_only_the_light_tells() -> None:
    samples = drawn(48, cue="tint", usual=1.0)
    for sample in samples:
        assert isinstance(sample.image, TintedImage)
        assert sample.image.tint == USUAL_TINT[sample.answers == ("true",)] == sample.kind
    relations = ("left of", "right of", "in front of", "behind", " on ", "near")
    for relation in relations:
        said = [sample.answers[0] for sample in samples if relation in sample.question]
        assert sorted(said) == ["false"] * 4 + ["true"] * 4


def test_light_multiplies_the_colours() -> None:
    plain = drawn(1)[0].image
    warm, cool = (
        np.asarray(TintedImage(image=plain, tint=tint).load()).astype(int) for tint in Tint
    )
    seen = np.asarray(plain.load()).astype(int)
    assert (warm[..., 1] == seen[..., 1]).all()
    assert (warm[..., 0] >= seen[..., 0]).all()
    assert (warm[..., 2] <= seen[..., 2]).all()
    assert (cool[..., 0] <= seen[..., 0]).all()
    assert len({image.key for image in (plain, TintedImage(image=plain, tint=Tint.WARM))}) == 2


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"look": "oil"}, "look=oil is unknown"),
        ({"usual": 1.5}, "usual=1.5 is no share"),
    ],
)
def test_an_unknown_option_names_the_choices(wrong: dict[str, object], message: str) -> None:
    with pytest.raises(UserError, match=message):
        drawn(1, **wrong)


@pytest.mark.slow
@pytest.mark.parametrize("cue", ["relation", "tint"])
def test_the_dose_is_that_of_vsr(cue: str) -> None:
    # VSR: accuracy of the best guess from the relation, by the share that is kept.
    vsr = {1.0: 0.532, 0.8: 0.592, 0.6: 0.660, 0.4: 0.747, 0.2: 0.860, 0.0: 1.0}
    samples = drawn(1200, cue=cue, usual=0.54)
    for keep, expected in vsr.items():
        kept = tuple(Undersampling(keep=keep)(samples))
        assert usual_share(kept) == pytest.approx(expected, abs=0.01)
        told = [guess for guess in guess_from_text(kept) if guess is not None]
        if cue == "tint":
            assert np.mean(told) < 0.6  # nothing is said that gives the answer away
        else:
            assert np.mean(told) == pytest.approx(expected, abs=0.08)


def test_held_out_statements_are_divided_by_whether_they_agree_with_the_bias() -> None:
    reader = partial(WorldStatements)
    runs = [
        statements_module(
            reader=reader,
            train_size=240,
            usual=0.6,
            heldout_size=10,
            undersample=Undersampling(keep=keep, divide_heldout=True),
        )
        for keep in (0.0, 1.0)
    ]
    assert runs[0].heldout == runs[1].heldout
    assert [len(runs[0].heldout[name]) for name in ("aligned", "conflicting")] == [10, 10]
    for name, source in runs[0].heldout.items():
        for index in range(len(source)):
            truth = {str(relation): truth for relation, truth in USUAL_TRUTH.items()}
            usual = (TRUE_FALSE[truth[source[index].kind]],)
            assert (source[index].answers == usual) is (name == "aligned")
    together = statements_module(reader=reader, train_size=6, heldout_size=12)
    assert {name: len(source) for name, source in together.heldout.items()} == {"statements": 12}
