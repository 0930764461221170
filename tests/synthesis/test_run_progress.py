"""The progress line and the costs of a run."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from groundrl.detectors.oracle import OracleDetector
from groundrl.running.task_runner import LocalRunner
from groundrl.synthesis.annotate import Annotator
from groundrl.synthesis.annotations import Caption, CaptionError, Decision, ErrorKind, Verdict
from groundrl.synthesis.images import SceneImages
from groundrl.synthesis.roles import ImageView
from groundrl.synthesis.run import Synthesis
from groundrl.synthesis.samples import QuestionPlan


class PaidTeacher:
    """Writes the same of everything, for a cent per caption."""

    name = "paid"

    def __call__(self, views: Sequence[ImageView]) -> list[Caption | None]:
        return [Caption(text="This is a dog.", tokens=100, cost=0.01) for _ in views]


class Grumbler:
    """Rejects everything."""

    name = "grumbler"

    def __call__(self, cases: Sequence[tuple[ImageView, str]]) -> list[Verdict | None]:
        flaw = CaptionError(kind=ErrorKind.OBJECT, span="dog")
        verdict = Verdict(
            decision=Decision.REJECT, reason="no dog", flaw=flaw, tokens=50, cost=0.02
        )
        return [verdict for _ in cases]


@pytest.mark.slow
def test_rejections_tokens_and_cost_are_in_the_progress_line_and_the_report(tmp_path: Path) -> None:
    annotator = Annotator(detector=OracleDetector(), teacher=PaidTeacher(), verifier=Grumbler())
    run = Synthesis(
        images=SceneImages(size=2),
        annotator=lambda: annotator,
        runner=LocalRunner(),
        concurrency=1,
        questions=QuestionPlan(),
        licence="CC0",
        cache=tmp_path / "cache.sqlite",
        shard_size=10,
        run_dir=tmp_path / "run",
    )
    totals = run.run()
    assert totals.unfinished == 0
    figures = json.loads((run.run_dir / "metrics.json").read_text())
    captions = figures["captions"]
    assert figures["cost"] == pytest.approx(0.03 * captions)
    progress = totals.list_progress(0.0)
    assert progress[0].endswith("images/s")
    assert progress[1:] == [
        "100 % rejected",
        f"{150 * captions:,.0f} tokens",
        f"cost {0.03 * captions:.2f}",
    ]
    card = (run.run_dir / "README.md").read_text()
    assert f"{150 * captions:,.0f} tokens of language models, cost {0.03 * captions:.4f}." in card
    page = (run.run_dir / "report.html").read_text()
    assert f"cost {0.03 * captions:.2f}" in page
    assert page.count('<article class="card sheet">') == 2
    assert "This is a <del><mark>dog</mark></del>." in page
