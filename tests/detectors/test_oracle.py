"""The oracle's misses and false alarms: at the rates asked for, the same every time."""

import math
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from groundrl.boxes import ImageSizes, iou, is_inside
from groundrl.detectors.base import Detector
from groundrl.detectors.oracle import OracleDetector
from groundrl.detectors.records import InputImage
from groundrl.errors import UserError
from groundrl.records import ImageFile
from groundrl.synthesis.images import SceneImages
from groundrl.world.graph import Scene
from groundrl.world.render import build_scene
from groundrl.world.source import SceneImage

IMAGES = [
    image
    for subject in ("tabletop", "street")
    for image in SceneImages(size=40, seed=3, subject=subject)
]


def scene(image: InputImage) -> Scene:
    assert isinstance(image.source, SceneImage)
    return build_scene(image.source.spec)


TRUE = [{(o.category, o.box) for o in scene(image).objects} for image in IMAGES]
OBJECTS = sum(len(true) for true in TRUE)


@pytest.mark.slow
def test_a_perfect_oracle_finds_every_object_and_nothing_else() -> None:
    oracle = OracleDetector()
    assert isinstance(oracle, Detector)
    for found, true in zip(oracle(IMAGES), TRUE, strict=True):
        assert {(region.label, region.box) for region in found} == true
        assert {region.label for region in found} <= set(oracle.vocabulary)


@pytest.mark.slow
@settings(max_examples=10, deadline=None)
@given(miss=st.floats(0, 1), alarm=st.floats(0, 1), seed=st.integers(0, 5))
def test_rates_are_what_was_asked_for(miss: float, alarm: float, seed: int) -> None:
    oracle = OracleDetector(miss_rate=miss, false_alarm_rate=alarm, seed=seed)
    missed = alarms = 0
    for found, true in zip(oracle(IMAGES), TRUE, strict=True):
        said = [(region.label, region.box) for region in found]
        missed += len(true - set(said))
        false = [pair for pair in said if pair not in true]
        alarms += len(false)
        sizes = ImageSizes(width=160, height=160, model_width=160, model_height=160)
        assert all(is_inside(box, sizes) and box.area > 0 for _, box in said)
        # A false alarm is false: its class is not there, and no object is where it points.
        assert not {label for label, _ in false} & {label for label, _ in true}
        assert all(iou(box, other) < 0.3 for _, box in false for _, other in true)
    for count, rate in ((missed, miss), (alarms, alarm)):
        # Five standard deviations of a binomial, and five objects where it is far from normal.
        assert abs(count - rate * OBJECTS) <= 5 * math.sqrt(rate * (1 - rate) * OBJECTS) + 5


@pytest.mark.slow
def test_what_is_missed_depends_on_the_image_and_the_seed_alone() -> None:
    oracle = OracleDetector(miss_rate=0.5, false_alarm_rate=0.5, seed=1)
    together = oracle(IMAGES)
    assert together == [oracle([image])[0] for image in reversed(IMAGES)][::-1]
    assert together != OracleDetector(miss_rate=0.5, false_alarm_rate=0.5, seed=2)(IMAGES)


def test_its_name_changes_with_everything_its_answers_depend_on() -> None:
    changes = [{}, {"miss_rate": 0.1}, {"false_alarm_rate": 0.1}, {"seed": 1}]
    assert len({OracleDetector(**change).name for change in changes}) == len(changes)


def test_photographs_and_rates_that_are_none_are_errors() -> None:
    photograph = ImageFile(path=Path("a.png"), width=4, height=4)
    with pytest.raises(UserError, match=r"a\.png is none: type detector=given"):
        OracleDetector()([InputImage(id="a.png", source=photograph, digest="0")])
    with pytest.raises(UserError, match=r"type detector.miss_rate=0\.1"):
        OracleDetector(miss_rate=1.5)
