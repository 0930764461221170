"""The table of a sweep."""

import json
from pathlib import Path

import pytest

from groundrl.errors import UserError
from groundrl.report.run_report import write_report
from groundrl.report.sweep import change_table, find_runs, sweep_table, write_sweep


def finish(folder: Path, acc: float) -> None:
    """A run that ended with this accuracy."""
    folder.mkdir(parents=True)
    metrics = {"start": {"t/acc": 0.1}, "grpo": {"t/acc": acc, "t/n": 9}, "time": {"grpo": 1}}
    (folder / "metrics.json").write_text(json.dumps(metrics))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Two settings, one run of three failed."""
    for seed, acc in enumerate((0.5, 0.6, 0.7)):
        finish(tmp_path / "iou+acc" / f"seed={seed}", acc)
    finish(tmp_path / "acc" / "seed=0", 0.4)
    (tmp_path / "acc" / "seed=1").mkdir()
    (tmp_path / "acc" / "seed=1" / "error.txt").write_text("out of memory\nat step 3\n")
    return tmp_path


def test_seeds_are_averaged_with_their_interval(root: Path) -> None:
    table = sweep_table(root)
    assert table.columns == ("setting", "seeds", "t/acc", "failed")
    # Three values with standard deviation 0.1: 4.3027 * 0.1 / sqrt(3) = 0.248.
    assert table.rows == (
        ("acc", "1", "0.400", "1"),
        ("iou+acc", "3", "0.600 ± 0.248", ""),
    )


def test_published_numbers_stand_beside_ours(root: Path) -> None:
    published = {
        "iou+acc": {"t/acc": 0.6131, "source": "Table 2"},
        "sft": {"t/acc": 1, "t/f1": 0.5447, "source": "Table 1"},
    }
    table = sweep_table(root, published)
    assert table.columns == (
        "setting",
        "seeds",
        "t/acc",
        "t/acc (published)",
        "t/f1 (published)",
        "source",
        "failed",
    )
    assert table.rows[1] == ("iou+acc", "3", "0.600 ± 0.248", "0.613", "", "Table 2", "")
    assert table.rows[2] == ("sft", "0", "", "1.000", "0.545", "Table 1", "")


@pytest.mark.parametrize(
    ("folder", "name"),
    [
        ("iou+acc/seed=0", "iou+acc"),
        ("model=a/reward=iou/seed=3", "model=a/reward=iou"),
        ("reward=iou,seed=0", "reward=iou"),
        ("seed=0,reward=iou", "reward=iou"),
        ("seed=0/reward=iou", "reward=iou"),
        ("model=a/seed=1,reward=iou", "model=a/reward=iou"),
    ],
)
def test_the_setting_is_the_folder_without_its_seed(tmp_path: Path, folder: str, name: str) -> None:
    finish(tmp_path / folder, 0.5)
    assert [run.name for run in find_runs(tmp_path)] == [name]


def test_what_lies_below_a_run_is_no_run(root: Path) -> None:
    finish(root / "acc" / "seed=0" / "sft", 0.9)
    assert len(find_runs(root)) == 5


def test_a_run_that_wrote_nothing_is_not_finished(root: Path) -> None:
    (root / "iou+acc" / "seed=3" / "checkpoints").mkdir(parents=True)
    lost = [run for run in find_runs(root) if run.metrics is None]
    assert [(run.folder.name, run.error) for run in lost] == [
        ("seed=1", "out of memory"),
        ("seed=3", ""),
    ]


def test_a_run_whose_metrics_are_torn_is_not_finished(root: Path) -> None:
    path = root / "iou+acc" / "seed=2" / "metrics.json"
    path.write_text(path.read_text()[:20])
    (lost,) = [run for run in find_runs(root) if run.metrics is None and run.name == "iou+acc"]
    assert lost.error.startswith(f"{path} is not valid JSON: ")
    assert len(sweep_table(root).rows) == 2
    with pytest.raises(UserError, match=r"metrics\.json is not valid JSON"):
        write_report(path.parent)


def test_a_folder_without_runs_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no runs below"):
        sweep_table(tmp_path)


def test_both_files_list_settings_and_failures(root: Path) -> None:
    published = {"iou+acc": {"t/acc": 0.6131, "source": "Table <2>"}}
    markdown, page = write_sweep(root, published, title="Grounded reasoning")
    assert (markdown.name, page.name) == ("table.md", "table.html")
    assert "| iou+acc | 3 | 0.600 ± 0.248 | 0.613 | Table <2> |  |" in markdown.read_text()
    assert "| acc | seed=1 | out of memory |" in markdown.read_text()
    html = page.read_text()
    assert "Table &lt;2&gt;" in html
    assert html.count("<figure") == 1
    assert "published 0.613" in html
    assert "nan" not in html
    assert write_sweep(root) == (markdown, page)  # its own files are no runs


def test_a_sweep_where_all_failed_is_still_a_table(tmp_path: Path) -> None:
    (tmp_path / "acc" / "seed=0").mkdir(parents=True)
    assert sweep_table(tmp_path).rows == (("acc", "0", "1"),)
    assert "not finished" in write_sweep(tmp_path)[1].read_text().lower()


def test_what_the_last_stage_changed_is_a_table_of_its_own(root: Path) -> None:
    table = change_table(find_runs(root))
    assert table.columns == ("setting", "t/acc")
    assert table.rows == (("acc", "0.300"), ("iou+acc", "0.500 ± 0.248"))
    assert "Change by the last stage" in write_sweep(root)[0].read_text()
