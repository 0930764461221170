"""Figures of a set of samples."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from groundrl.boxes import Box, Frame
from groundrl.data.datasets import SampleList, WorldDataset
from groundrl.data.survey import (
    all_groundings,
    count_areas,
    draw_samples,
    guess_from_text,
    same_pixels,
    summarize_kinds,
)
from groundrl.records import Grounding, ImageFile, NamedImage, Provenance, Sample


def asked(index: int, question: str, answer: str, options: str = "yes no") -> Sample:
    return Sample(
        id=str(index),
        image=NamedImage(key=f"image {index}"),
        question=question,
        options=tuple(options.split()),
        answers=(answer,) if answer else (),
        kind="exists",
        provenance=Provenance(dataset="made", split="train"),
    )


def grounding(x1: float, y1: float, x2: float, y2: float) -> Grounding:
    return Grounding(label="cup", box=Box(x1=x1, y1=y1, x2=x2, y2=y2, frame=Frame.PIXEL))


def test_few_samples_are_all_looked_at_and_many_are_drawn_in_their_order() -> None:
    source = SampleList(tuple(asked(i, "?", "yes") for i in range(50)))
    assert draw_samples(source, 50) == list(source.samples)
    drawn = [int(sample.id) for sample in draw_samples(source, 20)]
    assert len(set(drawn)) == 20
    assert drawn == sorted(drawn)


def test_an_answer_that_a_word_of_the_question_gives_away_is_guessed() -> None:
    told = [
        asked(i, "Is it a cup?" if i % 2 else "Is it a dog?", "yes" if i % 2 else "no")
        for i in range(100)
    ]
    assert all(guess_from_text(told))
    rng = np.random.default_rng(0)
    blind = [asked(i, "Is it?", "yes" if rng.random() < 0.5 else "no") for i in range(400)]
    known = [guess for guess in guess_from_text(blind) if guess is not None]
    assert np.mean(known) == pytest.approx(0.5, abs=0.1)


def test_a_guess_is_never_learned_from_the_same_image() -> None:
    # Each image has a word and an answer of its own: from the others nothing is known of it.
    samples = [asked(i, f"word{i}?", f"answer{i}", f"answer{i} other") for i in range(40)]
    twice = [replace(sample, id=f"{sample.id} again") for sample in samples]
    by_image = [replace(one, options=("other", *one.answers)) for one in (*samples, *twice)]
    assert not any(guess_from_text(by_image))


def test_samples_without_one_answer_are_not_guessed() -> None:
    several = replace(asked(0, "?", "yes"), answers=("yes", "no"))
    assert guess_from_text([asked(1, "?", ""), several]) == [None, None]


def test_a_kind_is_summarized() -> None:
    samples = [asked(i, "Is it?", "yes" if i < 30 else "no") for i in range(40)]
    (kind,) = summarize_kinds(samples)
    assert (kind.kind, kind.count, kind.options, kind.boxes) == ("exists", 40, 2.0, 0.0)
    assert (kind.common_answer, kind.common_share, kind.chance) == ("yes", 0.75, 0.5)
    assert kind.text_only == 0.75
    assert kind.rationales == 0.0
    (empty,) = summarize_kinds([asked(0, "Where?", "", "")])
    assert (empty.common_answer, empty.common_share, empty.text_only) == ("", 0.0, None)


def test_boxes_are_counted_by_their_share_of_the_image_and_once_each() -> None:
    image = NamedImage(key="a", width=100, height=100)
    small, large = grounding(0.0, 0.0, 2.0, 2.0), grounding(0.0, 0.0, 90.0, 90.0)
    sample = replace(
        asked(0, "?", "yes"), image=image, groundings=(small,), rationale=("the ", small, large)
    )
    assert all_groundings(sample) == [small, large]
    assert count_areas([sample]) == [1, 0, 0, 0, 1]


def test_images_of_equal_pixels_in_two_sets_are_found(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (8, 8, 3), dtype=np.uint8)
    sets = {}
    for name, array in {"a": pixels, "b": pixels, "c": pixels[::-1]}.items():
        path = tmp_path / f"{name}.{'png' if name != 'b' else 'bmp'}"
        Image.fromarray(array).save(path)
        sets[name] = [replace(asked(0, "?", "yes"), image=ImageFile(path=path, width=8, height=8))]
    (shared,) = same_pixels(sets)
    assert [place.split(":")[0] for place in shared] == ["a", "b"]


def test_the_world_has_balanced_verdicts() -> None:
    world = [WorldDataset(seed=3, size=120, kinds=["is_related"])[i] for i in range(120)]
    (kind,) = summarize_kinds(world)
    assert kind.common_share < 0.65
