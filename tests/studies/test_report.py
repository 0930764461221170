"""The end of a sweep, of hand-made runs."""

import json
from pathlib import Path

import pytest

from groundrl.studies.conclusions import Conclusion, Side
from groundrl.studies.report import report_sweep

CLAIM = Conclusion(
    claim="GRPO raises accuracy over its SFT start",
    source="Table 2",
    metric="tabletop/acc",
    of=Side(setting="acc", stage="grpo"),
    against=Side(setting="acc", stage="sft"),
    expected="higher",
)
PUBLISHED = {"acc": {"drivingvqa/exam_score": 0.5, "source": "Table 2"}}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Three seeds of two settings; the last one failed."""
    for setting in ("acc", "iou+acc"):
        for seed in range(3):
            folder = tmp_path / setting / f"seed={seed}"
            folder.mkdir(parents=True)
            if (setting, seed) == ("iou+acc", 2):
                continue
            names = ["acc", "iou", "boxes", "format", "reward", "tokens", "side/acc"]
            names = [f"{place}/{name}" for place in ("tabletop", "street") for name in names]
            stages = {
                stage: dict.fromkeys(names, value + seed / 100)
                for stage, value in {"sft": 0.5, "grpo": 0.6 + seed / 50}.items()
            }
            (folder / "metrics.json").write_text(json.dumps(stages))
    return tmp_path


def test_the_end_of_a_study_fits_a_terminal(root: Path) -> None:
    found = report_sweep(root, PUBLISHED, [CLAIM], width=100)
    *lines, table, page, verdicts, place = found.text.splitlines()
    others = next(line for line in lines if line.startswith("Only in table.html: "))
    assert max(len(line) for line in lines if line != others) <= 100
    assert lines[0] == "Conclusions"
    assert "+0.120 ± 0.050" in found.text
    # Headlines are named, the others counted: tokens and side/acc of two sets.
    assert "street/acc, " in others
    assert others.endswith("4 more metrics")
    assert (table, page, verdicts) == tuple(
        str(root / name) for name in ("table.md", "table.html", "verdict.json")
    )
    assert place == str(root)
    assert "street/acc" not in "\n".join(line for line in lines if line != others)


def test_columns_that_do_not_fit_are_named(root: Path) -> None:
    text = report_sweep(root, PUBLISHED, [CLAIM], width=60).text
    assert "Only in table.html: by question, metric, tabletop/iou, tabletop/boxes, " in text


def test_a_sweep_that_concludes_nothing_has_no_verdicts(root: Path) -> None:
    found = report_sweep(root, {}, [], width=100)
    assert not (root / "verdict.json").exists()
    assert "Conclusions" not in found.text + (root / "table.html").read_text()
    assert (len(found.runs), [row[:2] for row in found.failed.rows]) == (6, [("iou+acc", "seed=2")])
