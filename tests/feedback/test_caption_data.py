"""Captions of several annotators become one item each, and images are not split."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from labelled_world import labelled_captions as world_captions

from groundrl.errors import UserError
from groundrl.feedback.captions import (
    OUTPUTS,
    Level,
    labelled_captions,
    rate_captions,
    split_by_image,
    units,
)
from groundrl.feedback.labels import (
    LabelledCaption,
    SentenceError,
    SentenceLabel,
    write_captions,
)

TEXT = "A red cup. It is on a bus."


def caption(annotator: str, *errors: tuple[SentenceError, ...]) -> LabelledCaption:
    (drawn,) = world_captions(1)
    labels = tuple(
        SentenceLabel(start=start, stop=stop, errors=found, severity=bool(found) * 1)
        for (start, stop), found in zip(units(TEXT, "sentence"), errors, strict=True)
    )
    return replace(drawn, id="one", text=TEXT, annotator=annotator, sentences=labels)


ANN = caption("ann", (), (SentenceError.LOCATION,))
BEA = caption("bea", (SentenceError.ATTRIBUTE,), (SentenceError.LOCATION,))
CAT = caption("cat", (), ())


@pytest.mark.parametrize(
    ("level", "expected"),
    [
        ("sentence", [{"wrong": 1 / 3, "attribute": 1 / 3}, {"wrong": 2 / 3, "location": 2 / 3}]),
        ("caption", [{"wrong": 2 / 3, "attribute": 1 / 3, "location": 2 / 3}]),
    ],
)
def test_targets_are_shares_of_annotators(level: Level, expected: list[dict[str, float]]) -> None:
    (rated,) = rate_captions([ANN, BEA, CAT])
    rows = [[row.get(name, 0.0) for name in OUTPUTS] for row in expected]
    np.testing.assert_allclose(rated.targets(level), rows)


def test_a_caption_is_one_unit_from_its_first_sentence_to_its_last() -> None:
    assert units("  One is here. Two is there! ", "caption") == [(2, 28)]
    assert units("...", "caption") == units("...", "sentence") == []


def test_what_nobody_labelled_is_left_out(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    assert len(rate_captions([ANN, replace(ANN, id="two", sentences=None)])) == 1
    assert caplog.messages == ["1 captions without labels are left out"]
    with pytest.raises(UserError, match="no caption has labels"):
        rate_captions([replace(ANN, sentences=None)])


@pytest.mark.parametrize("change", [{"text": "A red cap. It is on a bus."}, {"question": "Why?"}])
def test_one_id_is_one_caption(change: dict[str, str]) -> None:
    with pytest.raises(UserError, match="two captions have the id 'one'"):
        rate_captions([ANN, replace(BEA, **change)])


RATED = rate_captions(world_captions(24, per_scene=3))


@given(st.integers(1, 21))
def test_no_image_is_in_both_parts(size: int) -> None:
    train, heldout = split_by_image(RATED, size)
    images = [{one.sample.image.key for one in part.captions} for part in (train, heldout)]
    assert not images[0] & images[1]
    assert size <= len(heldout.captions) < size + 3
    assert sorted(one.sample.id for part in (train, heldout) for one in part.captions) == sorted(
        one.sample.id for one in RATED
    )


def test_captions_of_an_image_are_one_item() -> None:
    train, _ = split_by_image(RATED, None)
    for group in train.groups:
        assert len({caption.text for caption in group}) > 1
        assert len({caption.sample.image.key for caption in group}) == 1


def test_without_a_size_a_fifth_is_held_out() -> None:
    train, heldout = split_by_image(RATED, None)
    assert (len(train), len(heldout)) == (6, 2)


@pytest.mark.parametrize(("captions", "size"), [(RATED, 22), (RATED[:3], None)])
def test_a_part_without_captions_is_refused(captions: list, size: int | None) -> None:
    with pytest.raises(UserError, match="cannot be held out"):
        split_by_image(captions, size)


def test_several_files_are_one_set(tmp_path: Path) -> None:
    written = world_captions(6)
    write_captions(written[:3], tmp_path / "a.jsonl")
    write_captions(written[3:], tmp_path / "b" / "b.jsonl")
    data = labelled_captions(path=[str(tmp_path / "a.jsonl"), str(tmp_path / "b" / "b.jsonl")])
    assert (len(data.train), len(data.heldout)) == (4, 2)
