"""evaluate.py as a process: a run, its files, its answers again, and mistakes."""

import json
import subprocess
from pathlib import Path

import pytest
import yaml
from scripts import run_python

from groundrl.report.runs import read_metrics

pytestmark = pytest.mark.slow


def evaluate(*arguments: str) -> subprocess.CompletedProcess[str]:
    return run_python("evaluate.py", *arguments)


def test_a_run_leaves_answers_figures_a_page_and_curves_and_can_be_scored_again(
    tmp_path: Path,
) -> None:
    sizes = ["benchmark.world_rec.size=4", "benchmark.world_vqa.size=4"]
    chosen = ["benchmark=[world_rec,world_vqa]", *sizes, "judge=rules"]
    first = evaluate(*chosen, f"output_dir={tmp_path}/first")
    assert first.returncode == 0, first.stderr
    run = Path(first.stdout.splitlines()[-1])
    assert run == tmp_path / "first"
    assert len((run / "predictions.jsonl").read_text().splitlines()) == 8
    assert "<article" in (run / "report.html").read_text()
    assert list((run / "tensorboard").glob("events*"))
    again = evaluate(*chosen, f"predictions={run}/predictions.jsonl", f"output_dir={tmp_path}/2")
    assert again.returncode == 0, again.stderr
    assert read_metrics(tmp_path / "2")[0] == read_metrics(run)[0]
    assert json.loads((run / "metrics.json").read_text())["world_rec/n"] == 4


def test_workers_of_a_ray_cluster_answer_as_one_process_does(tmp_path: Path) -> None:
    pytest.importorskip("ray", reason="Ray is not installed")
    chosen = ["benchmark=[world_mme,world_rec]", "benchmark.world_mme.size=3"]
    chosen += ["benchmark.world_rec.size=1", "sampling.max_tokens=12", "cache_dir=null"]
    for runner in (["local"], ["ray", "runner.workers=2", "runner.task_size=2"]):
        folder = tmp_path / runner[0]
        result = evaluate(*chosen, f"runner={runner[0]}", *runner[1:], f"output_dir={folder}")
        assert result.returncode == 0, result.stderr
        assert result.stdout.splitlines()[-1] == str(folder)
    runs = [tmp_path / "local", tmp_path / "ray"]
    answers = [sorted((run / "predictions.jsonl").read_text().splitlines()) for run in runs]
    assert answers[0] == answers[1]
    assert read_metrics(runs[0])[0] == read_metrics(runs[1])[0]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["benchmark=pop"], "did you mean 'pope'?"),
        (["runner=ray", "trainer.devices=2"], "runner=ray has workers of one device each"),
        (["benchmark=pope"], "type data.root=<folder>"),
        (["compare=[a]"], "type compare=[<run>,<run>]"),
        (["run=nowhere"], "run=nowhere is no finished run of train.py"),
        (
            ["adapter.path=nowhere", "benchmark=world_rec"],
            "adapter.path=nowhere is no adapter",
        ),
    ],
)
def test_one_error_lists_all_mistakes(tmp_path: Path, arguments: list[str], message: str) -> None:
    result = evaluate(*arguments, f"output_dir={tmp_path}/run")
    assert result.returncode == 2, result.stderr
    assert message in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    ("option", "names"),
    [
        ("pope_random", ["pope_random"]),
        ("vsr_zeroshot", ["vsr_zeroshot"]),
        ("refcocog_val", ["refcocog_val"]),
        ("pope", ["pope_random", "pope_popular", "pope_adversarial"]),
    ],
)
def test_a_part_of_a_benchmark_can_be_chosen_alone(option: str, names: list[str]) -> None:
    found = evaluate(f"benchmark={option}", "--cfg", "job")
    assert list(yaml.safe_load(found.stdout)["benchmark"]) == names


def test_an_unknown_part_is_answered_with_the_nearest_name() -> None:
    found = evaluate("benchmark=pope_rand", "--cfg", "job")
    assert found.returncode == 2
    assert "did you mean 'pope_random'?" in found.stdout + found.stderr
