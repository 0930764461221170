"""Doubts, which are regions below the detector's threshold, support captions and nothing else."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from synthesis_views import (
    SCENE_VERIFIER,
    FixedDetector,
    FixedTeacher,
    KeepingVerifier,
    box,
    region,
    scene_image,
    view,
)

from groundrl.detectors.records import InputImage, Region
from groundrl.synthesis.annotate import Annotator
from groundrl.synthesis.annotations import Crop, Decision, Verdict, VerifiedCaption
from groundrl.synthesis.codec import Stage, decode_result, encode_captioned_image, encode_result
from groundrl.synthesis.consistency import find_conflict
from groundrl.synthesis.merge import merge
from groundrl.synthesis.roles import ImageView

IMAGE = scene_image(0)
SURE = (region("red cup", 10, 60, 40, 100), region("green box", 60, 80, 90, 120))
DOUBTS = tuple(
    replace(one, sure=False, score=0.2)
    for one in (
        region("lamp", 100, 20, 130, 60),
        region("blue cup", 100, 80, 130, 120),
        region("red ball", 12, 60, 42, 102),
    )
)
CERTAIN, DOUBTFUL = view(IMAGE, SURE), view(IMAGE, SURE, doubts=DOUBTS)
CUP = Crop(region=SURE[0], box=box(0, 50, 48, 110))


def ruled(text: str, shown: ImageView) -> Verdict:
    (verdict,) = SCENE_VERIFIER([(shown, text)])
    assert verdict is not None
    return verdict


@pytest.mark.parametrize(
    "text",
    [
        "A lamp.",
        "A purple lamp.",
        "There are two cups.",
        "A blue cup.",
        "A cup is right of a green box.",
    ],
)
def test_a_statement_that_a_doubt_supports_is_kept(text: str) -> None:
    assert ruled(text, CERTAIN).decision is not Decision.KEEP
    assert ruled(text, DOUBTFUL).decision is Decision.KEEP


@pytest.mark.parametrize(
    "text",
    [
        "A bottle.",
        "There are three cups.",
        "No cups.",
        "A purple cup.",
        "A red cup is right of a green box.",
    ],
)
def test_a_statement_that_no_region_and_no_doubt_supports_is_not_kept(text: str) -> None:
    assert ruled(text, DOUBTFUL).decision is not Decision.KEEP


def test_a_doubt_alone_contradicts_no_statement() -> None:
    for text in ("No lamps.", "A green lamp.", "A lamp is left of a red cup."):
        assert ruled(text, DOUBTFUL).decision is Decision.KEEP


def test_a_caption_that_names_the_doubt_at_the_place_of_its_crop_is_rejected() -> None:
    crop = view(IMAGE, SURE, CUP, DOUBTS)
    verdict = ruled("This is a red ball.", crop)
    assert verdict.decision is Decision.REJECT
    assert verdict.flaw is not None
    assert (verdict.flaw.span, verdict.reason) == ("red ball", "it may be a red cup")
    assert ruled("This is a red cup behind a red ball.", crop).decision is Decision.KEEP


class Doubtful(FixedDetector):
    """Finds two things, and may have seen more."""

    def __call__(self, images: Sequence[InputImage]) -> list[tuple[Region, ...]]:
        return [(*found, *DOUBTS) for found in FixedDetector.__call__(self, images)]


def test_doubts_are_recorded_and_get_no_crops_and_no_objects() -> None:
    certain, doubtful = (
        Annotator(detector=one, teacher=FixedTeacher(), verifier=KeepingVerifier())(IMAGE, {})
        for one in (FixedDetector(), Doubtful())
    )
    assert certain.annotated is not None
    assert doubtful.annotated is not None
    row = encode_captioned_image(doubtful.annotated)
    assert [one["sure"] for one in row["doubts"]] == [False] * len(DOUBTS)
    assert {**row, "doubts": []} == encode_captioned_image(certain.annotated)
    assert decode_result(Stage.DETECT, encode_result((*SURE, *DOUBTS))) == (*SURE, *DOUBTS)
    merged = merge(doubtful.annotated)
    assert replace(merged, uncertain=frozenset()) == merge(certain.annotated)
    assert merged.uncertain == {"lamp", "cup", "ball"}


def test_captions_are_verified_again_where_doubts_changed() -> None:
    def asked(detector: FixedDetector) -> set[tuple[str, str]]:
        outcome = Annotator(detector=detector, teacher=FixedTeacher(), verifier=KeepingVerifier())(
            IMAGE, {}
        )
        return {(key.stage, key.inputs) for key in outcome.results}

    certain, doubtful = asked(FixedDetector()), asked(Doubtful())
    assert {stage for stage, _ in certain ^ doubtful} == {"verify"}
    assert len(certain) == len(doubtful)


def test_level_2_does_not_contradict_an_object_with_a_doubt() -> None:
    caption = FixedTeacher()([view(IMAGE, SURE, CUP)])[0]
    assert caption is not None
    thrown_away = VerifiedCaption(crop=CUP, caption=caption, verdicts=(), text=None)
    assert find_conflict("A cup.", SURE, [thrown_away]) is not None
    assert find_conflict("A cup.", (*SURE, *DOUBTS), [thrown_away]) is None
