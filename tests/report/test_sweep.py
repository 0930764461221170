"""The table of a sweep."""

import json
from pathlib import Path
from typing import Any

import pytest

from groundrl.errors import UserError
from groundrl.report.run_report import write_report
from groundrl.report.runs import find_runs
from groundrl.report.sweep import (
    Published,
    Study,
    change_table,
    choose_metrics,
    other_tables,
    published_table,
    sweep_table,
    write_sweep,
)
from groundrl.report.tables import Table


def finish(folder: Path, acc: float) -> None:
    """A run that ended with this accuracy."""
    folder.mkdir(parents=True)
    metrics = {"start": {"t/acc": 0.1}, "grpo": {"t/acc": acc, "t/n": 9}, "time": {"grpo": 1}}
    (folder / "metrics.json").write_text(json.dumps(metrics))


def table_of(root: Path, published: Published | None = None) -> Table:
    """What a sweep without conclusions shows first."""
    study = Study(title="Sweep", published=published or {})
    runs = find_runs(root)
    return sweep_table(runs, choose_metrics(runs, study)[0], study.published)


def written(root: Path, study: Study) -> tuple[str, str]:
    """Both files."""
    markdown, page = write_sweep(root, find_runs(root), study)
    assert (markdown.name, page.name) == ("table.md", "table.html")
    return markdown.read_text(), page.read_text()


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
    table = table_of(root)
    assert table.columns == ("setting", "seeds", "failed", "t/acc")
    # Three values with standard deviation 0.1: 4.3027 * 0.1 / sqrt(3) = 0.248.
    assert table.rows == (
        ("acc", "1", "1", "0.400"),
        ("iou+acc", "3", "", "0.600 ± 0.248"),
    )


def test_published_numbers_stand_beside_ours(root: Path) -> None:
    published: Published = {
        "iou+acc": {"t/acc": 0.6131, "source": "Table 2"},
        "sft": {"t/acc": 1, "t/f1": 0.5447, "source": "Table 1"},
    }
    table = table_of(root, published)
    assert table.columns == ("setting", "seeds", "failed", "t/acc", "t/acc (published)")
    assert table.rows[1] == ("iou+acc", "3", "", "0.600 ± 0.248", "0.613")
    assert table.rows[2] == ("sft", "0", "", "", "1.000")
    assert published_table(published) == Table(
        columns=("setting", "t/acc", "t/f1", "source"),
        rows=(("iou+acc", "0.613", "", "Table 2"), ("sft", "1.000", "0.545", "Table 1")),
        title="Published",
    )


def test_a_row_of_which_nothing_was_measured_is_among_the_published_only(root: Path) -> None:
    published: Published = {"sft": {"u/f1": 0.5, "source": "Table 1"}}
    assert [row[0] for row in table_of(root, published).rows] == ["acc", "iou+acc"]
    assert published_table(published).rows == (("sft", "0.500", "Table 1"),)


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
    assert len(sweep_table(find_runs(root), ["acc"], {}).rows) == 2
    with pytest.raises(UserError, match=r"metrics\.json is not valid JSON"):
        write_report(path.parent)


def test_a_folder_without_runs_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no runs below"):
        find_runs(tmp_path)


def test_both_files_list_settings_and_failures(root: Path) -> None:
    study = Study(
        title="Grounded reasoning",
        published={"iou+acc": {"t/acc": 0.6131, "source": "Table <2>"}},
        conclusions=Table(columns=("claim",), rows=(("boxes < words",),)),
        explained=["Not borne out: boxes < words."],
    )
    markdown, html = written(root, study)
    assert "| boxes < words |" in markdown
    assert "* Not borne out: boxes < words." in markdown
    assert "| iou+acc | 3 |  | 0.600 ± 0.248 | 0.613 |" in markdown
    assert "| iou+acc | 0.613 | Table <2> |" in markdown
    assert "| acc | seed=1 | out of memory |" in markdown
    assert "Table &lt;2&gt;" in html
    assert "<li>Not borne out: boxes &lt; words.</li>" in html
    assert html.count("<figure") == 1
    assert "published 0.613" in html
    assert "nan" not in html
    assert "all other metrics" not in html
    assert written(root, study) == (markdown, html)  # its own files are no runs


def test_a_sweep_where_all_failed_is_still_a_table(tmp_path: Path) -> None:
    (tmp_path / "acc" / "seed=0").mkdir(parents=True)
    assert table_of(tmp_path).rows == (("acc", "0", "1"),)
    assert "not finished" in written(tmp_path, Study(title="Sweep", published={}))[1].lower()


def test_what_the_last_stage_changed_is_a_table_of_its_own(root: Path) -> None:
    table = change_table(find_runs(root), ["t/acc", "t/iou"])
    assert table.columns == ("setting", "t/acc")
    assert table.rows == (("acc", "0.300"), ("iou+acc", "0.500 ± 0.248"))
    markdown, _ = written(root, Study(title="Sweep", published={}))
    assert "Change by the last stage" in markdown


def test_a_seed_that_changed_nothing_counts_in_the_mean_of_changes(tmp_path: Path) -> None:
    for seed, acc in enumerate((0.1, 0.4)):  # from 0.1 at the start
        finish(tmp_path / "acc" / f"seed={seed}", acc)
    ((_, cell),) = change_table(find_runs(tmp_path), ["t/acc"]).rows
    assert cell.startswith("0.150 ± ")


MANY = {"t/tokens": 9.0, "t/acc": 0.5, "t/iou": 0.6, "t/side/acc": 0.7, "mme/perception": 900.0}


@pytest.mark.parametrize(
    ("measured", "study", "main"),
    [
        (MANY, {}, ["t/acc", "t/iou", "mme/perception"]),
        (MANY, {"metrics": ["t/tokens", "t/acc", "t/tokens"]}, ["t/tokens", "t/acc"]),
        (
            MANY,
            {"metrics": ["t/iou"], "published": {"x": {"u/f1": 1, "source": "y"}}},
            ["t/iou", "u/f1"],
        ),
        ({"t/tokens": 9.0}, {}, ["t/tokens"]),
    ],
)
def test_what_a_study_is_about_comes_first(
    tmp_path: Path, measured: dict[str, float], study: dict[str, Any], main: list[str]
) -> None:
    folder = tmp_path / "acc" / "seed=0"
    folder.mkdir(parents=True)
    (folder / "metrics.json").write_text(json.dumps({"grpo": measured}))
    chosen, others = choose_metrics(
        find_runs(tmp_path), Study(title="Sweep", **{"published": {}, **study})
    )
    assert chosen == main
    assert others == [metric for metric in measured if metric not in main]


def test_other_metrics_are_rows_of_a_folded_table(root: Path) -> None:
    values, changes = other_tables(find_runs(root), ["t/acc", "t/iou"])
    assert values.columns == changes.columns == ("metric", "acc", "iou+acc")
    assert values.rows == (("t/acc", "0.400", "0.600 ± 0.248"),)
    assert changes.rows == (("t/acc", "0.300", "0.500 ± 0.248"),)
    markdown, html = written(root, Study(title="Sweep", metrics=["t/f1"], published={}))
    assert "## Other metrics" in markdown
    _, folded = html.split("<details><summary>all other metrics</summary>")
    assert "0.600 ± 0.248" in folded
    assert folded.count("<figure") == 1
