"""The measured quality of verifiers, which does not depend on the words of their verdicts."""

from collections.abc import Sequence
from dataclasses import dataclass

import pytest

from groundrl.detectors.oracle import OracleDetector
from groundrl.synthesis.annotate import Annotator
from groundrl.synthesis.annotations import CaptionError, Decision, ErrorKind, Verdict
from groundrl.synthesis.images import SceneImages
from groundrl.synthesis.quality import CaptionStatistics
from groundrl.synthesis.roles import ImageView, Verifier
from groundrl.synthesis.teachers.world import WorldTeacher


@dataclass
class Always:
    """Says the same of everything."""

    decision: Decision
    flaw: CaptionError | None = None
    name: str = "always"

    def __call__(self, cases: Sequence[tuple[ImageView, str]]) -> list[Verdict | None]:
        return [Verdict(decision=self.decision, reason="so", flaw=self.flaw) for _ in cases]


class ByLabel:
    """Rejects what is said of a crop without its label."""

    name = "by label"

    def __call__(self, cases: Sequence[tuple[ImageView, str]]) -> list[Verdict | None]:
        return [
            Verdict(decision=Decision.KEEP, reason="so")
            if view.crop is None or view.crop.region.label in text
            else Verdict(
                decision=Decision.REJECT,
                reason="it says nothing of the label",
                flaw=CaptionError(kind=ErrorKind.OTHER, span=text),
            )
            for view, text in cases
        ]


def measured(verifier: Verifier, false_alarm_rate: float = 0.0) -> CaptionStatistics:
    tally = CaptionStatistics()
    annotator = Annotator(
        detector=OracleDetector(false_alarm_rate=false_alarm_rate),
        teacher=WorldTeacher(error_rate=0.5),
        verifier=verifier,
    )
    for image in SceneImages(size=8):
        outcome = annotator(image, {})
        assert outcome.annotated is not None
        tally.add(outcome.annotated)
    return tally


@pytest.mark.slow
@pytest.mark.parametrize("flaw", [None, CaptionError(kind=ErrorKind.OTHER, span="There")])
def test_a_verifier_that_rejects_everything_finds_all_errors_and_rejects_all_right_captions(
    flaw: CaptionError | None,
) -> None:
    tally = measured(Always(Decision.REJECT, flaw))
    found = tally.compute_quality()
    recalls = [v for k, v in found.items() if k.startswith("recall/") and k.count("_") == 0]
    assert len(recalls) >= 3
    assert set(recalls) == {1.0}
    assert (found["clean_rejected"], found["clean_flagged"], found["survived"]) == (1.0, 1.0, 0.0)
    assert tally.counts["clean"] + tally.counts["planted"] == tally.counts["captions"]
    fault = "none named" if flaw is None else "other"
    assert tally.counts[f"rejected/{fault}"] == tally.counts["captions"]
    assert tally.counts["verdicts/verifier/reject"] == tally.counts["captions"]


def test_a_verifier_that_keeps_everything_finds_no_error() -> None:
    found = measured(Always(Decision.KEEP)).compute_quality()
    assert found["recall/object"] == 0.0
    assert found["clean_rejected"] == 0.0
    assert found["survived"] > 0.8  # level 2 contradicts some


@pytest.mark.slow
def test_the_caption_of_a_false_region_does_not_count_as_a_right_caption_rejected() -> None:
    exact = measured(ByLabel())
    alarmed = measured(ByLabel(), false_alarm_rate=1.0)
    rejected = alarmed.counts["rejected/other"]
    assert rejected > 10
    assert alarmed.counts["level_2/rejected"] > 10
    assert alarmed.counts["clean_rejected"] == exact.counts["clean_rejected"] == 0
    assert alarmed.counts["captions"] - alarmed.counts["clean"] - alarmed.counts["planted"] > 10


@pytest.mark.slow
def test_captions_of_false_regions_are_counted_apart() -> None:
    by_label, careless = (
        measured(one, false_alarm_rate=1.0) for one in (ByLabel(), Always(Decision.KEEP))
    )
    assert by_label.counts["false_regions"] == careless.counts["false_regions"] > 10
    assert by_label.compute_quality()["false_regions_kept"] == 0.0
    assert careless.compute_quality()["false_regions_kept"] == 1.0
    counted = (by_label.counts[name] for name in ("clean", "planted", "false_regions"))
    assert sum(counted) == by_label.counts["captions"]
    assert by_label.counts["flagged/other"] > by_label.counts["judged/other"] == 0
