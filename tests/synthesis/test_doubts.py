"""What a detector saw with less than its threshold bears out what is said, and makes nothing."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from synthesis_views import RULES, Boxes, Keeps, Says, box, drawn, region, view

from groundrl.detectors.records import InputImage, Region
from groundrl.synthesis.annotate import Annotator
from groundrl.synthesis.annotations import Crop, Decision, Verdict, VerifiedCaption
from groundrl.synthesis.codec import Stage, decode_result, encode_captioned_image, encode_result
from groundrl.synthesis.consistency import conflict
from groundrl.synthesis.merge import merge
from groundrl.synthesis.roles import ImageView

IMAGE = drawn(0)
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
    (verdict,) = RULES([(shown, text)])
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
def test_what_a_doubt_bears_out_is_not_denied(text: str) -> None:
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
def test_what_not_even_a_doubt_bears_out_is_denied(text: str) -> None:
    assert ruled(text, DOUBTFUL).decision is not Decision.KEEP


def test_a_doubt_alone_speaks_against_nothing() -> None:
    for text in ("No lamps.", "A green lamp.", "A lamp is left of a red cup."):
        assert ruled(text, DOUBTFUL).decision is Decision.KEEP


def test_a_crop_that_is_called_what_its_region_may_be_instead_is_thrown_away() -> None:
    crop = view(IMAGE, SURE, CUP, DOUBTS)
    verdict = ruled("This is a red ball.", crop)
    assert verdict.decision is Decision.REJECT
    assert verdict.flaw is not None
    assert (verdict.flaw.span, verdict.reason) == ("red ball", "it may be a red cup")
    assert ruled("This is a red cup behind a red ball.", crop).decision is Decision.KEEP


class Doubtful(Boxes):
    """Finds two things, and may have seen more."""

    def __call__(self, images: Sequence[InputImage]) -> list[tuple[Region, ...]]:
        return [(*found, *DOUBTS) for found in Boxes.__call__(self, images)]


def test_doubts_are_written_down_and_nothing_is_made_of_them() -> None:
    certain, doubtful = (
        Annotator(detector=one, teacher=Says(), verifier=Keeps())(IMAGE, {})
        for one in (Boxes(), Doubtful())
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


def test_verdicts_are_asked_for_again_where_doubts_changed() -> None:
    def asked(detector: Boxes) -> set[tuple[str, str]]:
        outcome = Annotator(detector=detector, teacher=Says(), verifier=Keeps())(IMAGE, {})
        return {(key.stage, key.inputs) for key in outcome.results}

    certain, doubtful = asked(Boxes()), asked(Doubtful())
    assert {stage for stage, _ in certain ^ doubtful} == {"verify"}
    assert len(certain) == len(doubtful)


def test_level_2_denies_nothing_that_is_in_doubt() -> None:
    caption = Says()([view(IMAGE, SURE, CUP)])[0]
    assert caption is not None
    thrown_away = VerifiedCaption(crop=CUP, caption=caption, verdicts=(), text=None)
    assert conflict("A cup.", SURE, [thrown_away]) is not None
    assert conflict("A cup.", (*SURE, *DOUBTS), [thrown_away]) is None
