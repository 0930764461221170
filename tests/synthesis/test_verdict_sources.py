"""The source of each verdict, and answers that cannot be parsed."""

import html
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from synthesis_runs import figures, synthesis
from synthesis_views import FixedDetector, FixedTeacher, KeepingVerifier

from groundrl.synthesis.annotate import Annotator
from groundrl.synthesis.annotations import (
    Caption,
    CaptionError,
    Decision,
    ErrorKind,
    Verdict,
    VerifiedCaption,
)
from groundrl.synthesis.images import SceneImages
from groundrl.synthesis.retries import reject_unparsed
from groundrl.synthesis.roles import ImageView


def rows(run: Path) -> list[dict[str, Any]]:
    lines = (run / "images.jsonl").read_text().splitlines()
    return [row for line in lines for one in [json.loads(line)] for row in one["level_2"]]


@pytest.mark.slow
def test_a_caption_that_cannot_be_parsed_is_rejected_and_generated_again_by_the_next_run(
    tmp_path: Path,
) -> None:
    class Mumbles(FixedTeacher):
        def _caption(self, one: ImageView) -> Caption:
            return Caption(text="", tokens=1) if one.crop else FixedTeacher._caption(self, one)

    for name, verifier in (("verified", KeepingVerifier()), ("unverified", None)):
        roles, run = {"detector": FixedDetector(), "verifier": verifier}, tmp_path / name / "run"
        synthesis(run, **roles, teacher=Mumbles()).run()
        reason = "unreadable: the teacher's answer is no caption"
        for row in rows(run):
            (verdict,) = row["verdicts"]
            assert (verdict["by"], verdict["reason"]) == ("format", reason)
        found = figures(run)
        assert found["rejected/unreadable"] == found["level_2/rejected"] == 2 * 24
        card = (run / "README.md").read_text()
        assert "| unreadable | 48 |" in card
        assert "| unreadable: the teacher&#x27;s answer is no caption | unreadable | 48 |" in card
        page = html.unescape((run / "report.html").read_text())
        assert "unreadable: the teacher's answer is no caption" in page
        synthesis(run, **roles, teacher=FixedTeacher()).run()
        assert "level_2/rejected" not in figures(run)


@pytest.mark.slow
def test_a_verdict_that_cannot_be_parsed_rejects_and_is_requested_again_by_the_next_run(
    tmp_path: Path,
) -> None:
    class Mumbles(KeepingVerifier):
        def __call__(self, cases: Sequence[tuple[ImageView, str]]) -> list[Verdict | None]:
            return [reject_unparsed("no JSON object") for _ in cases]

    roles = {"detector": FixedDetector(), "teacher": FixedTeacher()}
    synthesis(tmp_path / "run", **roles, verifier=Mumbles()).run()
    found = figures(tmp_path / "run")
    assert found["rejected/unreadable"] == found["verdicts/format/reject"] == 3 * 24
    synthesis(tmp_path / "run", **roles, verifier=KeepingVerifier()).run()
    assert "rejected/unreadable" not in figures(tmp_path / "run")


@dataclass
class Denies:
    """Rejects what is said of crops, keeps the rest, and remembers what it was asked."""

    name: str = "denies"
    asked: list[str] = field(default_factory=list)
    and_so: Verdict = field(default=Verdict(decision=Decision.KEEP, reason="fine"))

    def __call__(self, cases: Sequence[tuple[ImageView, str]]) -> list[Verdict | None]:
        verdicts: list[Verdict | None] = []
        for view, text in cases:
            if view.crop is not None:
                verdicts.append(Verdict(decision=Decision.REJECT, reason="not there"))
            else:
                self.asked.append(text)
                first = len(self.asked) == 1
                verdicts.append(
                    Verdict(decision=Decision.KEEP, reason="") if first else self.and_so
                )
        return verdicts


@dataclass
class Lists(FixedTeacher):
    """Names both things, in two sentences."""

    def _caption(self, one: ImageView) -> Caption:
        return Caption(text="There is a lamp. There is a cup." if one.crop is None else "A thing.")


def whole(verifier: Denies) -> VerifiedCaption:
    annotator = Annotator(detector=FixedDetector(), teacher=Lists(), verifier=verifier)
    outcome = annotator(next(iter(SceneImages(size=1))), {})
    assert outcome.annotated is not None
    return outcome.annotated.image_caption


def test_repairs_by_consistency_are_marked_and_verified_again() -> None:
    verifier = Denies()
    checked = whole(verifier)
    assert checked.text == "There is a lamp."
    assert verifier.asked == ["There is a lamp. There is a cup.", "There is a lamp."]
    signed = [(str(one.by), str(one.decision)) for one in checked.verdicts]
    assert signed == [("verifier", "keep"), ("consistency", "repair"), ("verifier", "keep")]


def test_a_verifier_that_restores_what_level_2_contradicts_ends_in_a_rejection() -> None:
    flaw = CaptionError(kind=ErrorKind.OBJECT, span="lamp")
    back = Verdict(
        decision=Decision.REPAIR, reason="a cup", flaw=flaw, repaired="There is a lamp. A cup."
    )
    checked = whole(Denies(and_so=back))
    assert checked.text is None
    assert [one.decision for one in checked.verdicts].count(Decision.REPAIR) >= 4
