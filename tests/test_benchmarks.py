"""Every program of benchmarks/ runs and tells what it measured."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import torch
from report_files import record, write_answers
from scripts import run_python
from torch.utils.flop_counter import FlopCounterMode
from torch.utils.tensorboard.writer import SummaryWriter

from groundrl.files import write_json
from groundrl.policy.shared_prefix.layout import Branch
from groundrl.running.task_runner import TASKS_AHEAD

FOLDER = Path(__file__).parents[1] / "benchmarks"


def run(name: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    return run_python(FOLDER / f"{name}.py", *arguments)


def program(name: str, *arguments: object, out: Path) -> subprocess.CompletedProcess[str]:
    """A benchmark, its figures in ``out`` and its history beside them."""
    return run(name, *arguments, "--out", out, "--history", out.with_name("history.jsonl"))


def step_time(folder: Path) -> subprocess.CompletedProcess[str]:
    return run("step_time", folder)


@pytest.mark.slow
def test_the_time_of_a_step_is_reported_by_part(tmp_path: Path) -> None:
    with SummaryWriter(str(tmp_path / "tensorboard" / "grpo")) as writer:
        for step, seconds in enumerate((1.0, 2.0, 9.0)):
            writer.add_scalar("time/rollout", seconds, step)
            writer.add_scalar("time/reward", 0.2, step)
            writer.add_scalar("time/update", 1.8, step)
            writer.add_scalar("time/vision", 0.4, step)
            writer.add_scalar("time/step", 4.0, step)
            writer.add_scalar("tokens/per_second", 800.0, step)
    result = step_time(tmp_path)
    assert result.returncode == 0, result.stderr
    assert result.stdout.splitlines()[-1].split()[1:] == [
        *("2.000", "(50%)", "0.200", "(5%)", "1.800", "(45%)"),
        *("0.400", "(10%)", "4.000", "800.0"),
    ]


@pytest.mark.slow
def test_paths_that_need_a_gpu_are_left_out_on_a_cpu(tmp_path: Path) -> None:
    out = tmp_path / "paths.json"
    small = ("--prompt", 40, "--completion", 4, "--group", 2, "--prompts", 1)
    result = program("gpu_paths", *small, out=out)
    assert result.returncode == 0, result.stderr
    assert "flex_attention and flash_attention_2 need a GPU" in result.stdout
    figures = json.loads(out.read_text())
    assert set(figures) == {
        *("sdpa", "sdpa, checkpointing", "sdpa, one row a completion", "rollout", "activations"),
    }
    assert figures["sdpa, checkpointing"]["max_abs_logprob"] < 1e-5
    assert figures["sdpa, one row a completion"]["max_rel_grad"] < 1e-4
    assert set(figures["rollout"]) == {"plain"}


def test_the_script_for_a_gpu_is_sound() -> None:
    subprocess.run(["sh", "-n", str(FOLDER / "on_gpu.sh")], check=True)


@pytest.mark.slow
def test_a_folder_without_grpo_is_refused(tmp_path: Path) -> None:
    assert "has no curves of a GRPO stage" in step_time(tmp_path).stderr


@pytest.mark.slow
def test_a_step_is_put_beside_trl_and_beside_one_with_nothing_shared(tmp_path: Path) -> None:
    pytest.importorskip("trl", reason="TRL is not installed")
    out = tmp_path / "figures.json"
    small = ("--prompt", 40, "--completion", 4, "--group", 2, "--prompts", 1)
    result = program("grpo_step", "--family", "qwen3_vl", *small, out=out)
    assert result.returncode == 0, result.stderr
    assert [row.split()[0] for row in result.stdout.splitlines() if "(" in row] == [
        *("ours", "plain", "trl", "floor")
    ]
    figures = json.loads(out.read_text())
    assert set(figures["speedup"]) >= {"step_vs_trl", "update_vs_plain", "rollout_vs_generate"}
    assert all(value > 0 for name in ("speedup", "memory") for value in figures[name].values())
    parity = figures["parity"]
    assert parity["max_abs_logprob"] <= 2e-6
    assert parity["max_rel_grad"] <= 2e-6
    for figure in ("max_abs_logprob", "max_rel_grad"):
        assert 0 <= parity[f"{figure}_same_features"] < 1e-6
        assert parity[f"{figure}_float64"] < 1.5 * parity[f"stock_{figure}_float64"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("prompts", [1, 2, 4, 8]),
        ("group", [1, 2, 4, 8, 16, 32]),
        ("image_share", [0.06, 0.22, 0.49, 0.9]),
    ],
)
def test_costs_are_reported_as_one_thing_grows(
    tmp_path: Path, name: str, values: list[float]
) -> None:
    out = tmp_path / "figures.json"
    result = program("scaling", "--only", name, "--tries", 1, out=out)
    assert result.returncode == 0, result.stderr
    assert result.stdout.splitlines()[-1].split()[0] == str(values[-1])
    rows = json.loads(out.read_text())[name]
    assert [row[name] for row in rows] == values
    assert ["cost of one more" in row for row in rows] == [
        name == "group" and value > 1 for value in values
    ]


@pytest.mark.slow
def test_the_floor_counts_the_products_that_a_forward_pass_makes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.syspath_prepend(str(FOLDER))
    from policies import policy_for
    from roofline import shape_of, update_cost
    from work import Work

    work = Work(family="qwen3_vl", size="tiny", prompt=48, completion=16, group=1, prompts=1)
    policy = policy_for(work, sharing=True)
    prompt = policy.encode(work.sample(0, work.question(policy.processor)))
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        policy.logprobs([prompt], [[Branch(tokens=[20] * 16)]], policy.features([prompt]))
    counts = {str(op): n for op, n in counter.get_flop_counts()["Global"].items()}
    counted = counts["aten.mm"]
    model = policy.vlm.model
    shape = shape_of(policy.vlm, model.language_model, model.visual)
    forward = 2 * (shape.linear + shape.adapter) * 64 + 2 * shape.head * 16
    assert counted == pytest.approx(forward, rel=0.01)
    assert 3 * counted < update_cost(shape, work).flops < 4 * counted


@pytest.mark.slow
def test_answers_per_second_are_put_beside_those_of_generate(tmp_path: Path) -> None:
    out = tmp_path / "figures.json"
    small = ("--images", 2, "--per-image", 2, "--max-tokens", 12, "--turns", 1)
    result = program("evaluate_speed", *small, "--batch", 3, out=out)
    assert result.returncode == 0, result.stderr
    figures = json.loads(out.read_text())
    assert list(figures) == ["ours", "batched", "loop"]
    assert all(row["same_answers"] == 1 for row in figures.values())
    assert all(row["samples_per_second"] > 0 for row in figures.values())


@pytest.mark.slow
def test_figures_are_added_to_a_history_and_the_change_is_printed(tmp_path: Path) -> None:
    out, kept = tmp_path / "figures.json", tmp_path / "history.jsonl"
    first = program("scenes", "--count", 2, out=out)
    assert "change" not in first.stdout.lower()
    entry = json.loads(kept.read_text())
    assert entry["figures"] == json.loads(out.read_text())
    assert entry["settings"] == {"count": "2", "size": "160"}
    halved = {name: value / 2 for name, value in entry["figures"].items()}
    kept.write_text(json.dumps(entry | {"figures": halved}) + "\n")
    second = program("scenes", "--count", 2, out=out)
    assert f"Changed since {entry['commit']}" in second.stdout
    assert len(kept.read_text().splitlines()) == 2
    # Other settings are not compared.
    assert "hanged since" not in program("scenes", "--count", 3, out=out).stdout
    shown = run("history", "scenes", "--history", kept)
    assert "tabletop/plain/render_per_second" in shown.stdout


@pytest.mark.slow
def test_a_verifier_is_measured_at_three_shares_of_errors(tmp_path: Path) -> None:
    out = tmp_path / "figures.json"
    result = program("verification", "--scenes", 6, out=out)
    assert result.returncode == 0, result.stderr
    figures = json.loads(out.read_text())
    assert list(figures) == ["0.05", "0.15", "0.3"]
    assert figures["0.3"]["recall/object"] > 0.5
    assert figures["0.3"]["clean_rejected"] < 0.1


@pytest.mark.slow
@pytest.mark.parametrize("name", ["synthesis_throughput", "synthesis_memory"])
def test_a_synthesis_is_put_beside_the_server_that_it_asks(tmp_path: Path, name: str) -> None:
    out = tmp_path / "figures.json"
    small = ("--images", 20, "--concurrency", 8, "--latency", 0.05)
    result = program(name, *small, out=out)
    assert result.returncode == 0, result.stderr
    (figures,) = json.loads(out.read_text()).values()
    assert 0.05 < figures["share"] <= 1
    assert figures["overhead_ms"] > 0
    # The whole, four crops, and a verdict on each.
    assert figures.get("requests", 200) == 20 * 10


@pytest.mark.slow
def test_the_start_on_a_long_table_is_measured(tmp_path: Path) -> None:
    out = tmp_path / "figures.json"
    result = program("lazy_rows", "--rows", 200, "--steps", 2, out=out)
    assert result.returncode == 0, result.stderr
    figures = json.loads(out.read_text())
    assert figures.keys() == {"jsonl", "parquet"}
    assert all(one["row_ms"] > 0 and one["start"] > 0 for one in figures.values())


@pytest.mark.slow
def test_the_worth_of_verification_is_reported_per_training_set(tmp_path: Path) -> None:
    done = {"data/verified", "data/unverified", "runs/verified/0", "runs/unverified/0"}
    for folder in (*done, "captions/verified/0", "captions/unverified/0"):
        (tmp_path / folder).mkdir(parents=True)
        figures = {"x/acc": 0.5, "x/iou": 0.25, "x/chair_i": 0.1, "x/chair_s": 0.2, "x/recall": 0.4}
        stages = {"sft": figures, "grpo": figures}
        told = figures if folder.startswith("captions") else stages
        (tmp_path / folder / "metrics.json").write_text(json.dumps(told))
    out = tmp_path / "figures.json"
    small = ("--scenes", 6, "--seeds", 1, "--sft-steps", 1, "--grpo-steps", 1)
    result = program("verification_worth", "--folder", tmp_path, *small, out=out)
    assert result.returncode == 0, result.stderr
    figures = json.loads(out.read_text())
    assert list(figures) == ["exact", "verified", "unverified"]
    assert figures["verified"]["accuracy after SFT"] == 0.5
    assert 0 <= figures["exact"]["CHAIR_i"] <= 1
    assert (tmp_path / "data" / "exact" / "train.jsonl").exists()


@pytest.mark.slow
def test_every_term_of_a_reward_has_its_price(tmp_path: Path) -> None:
    out = tmp_path / "figures.json"
    result = program("reward_terms", "--prompts", 1, "--group", 2, "--turns", 1, out=out)
    assert result.returncode == 0, result.stderr
    figures = json.loads(out.read_text())
    assert {"acc", "iou", "noun", "attribute", "relation", "sentence"} <= figures.keys()
    step = figures.pop("step")
    for row in figures.values():
        assert row["completions_per_second"] == pytest.approx(2000 / row["ms_per_step"])
        others = row["ms_per_step"] + step["rollout_ms"] + step["update_ms"]
        assert row["share_of_step"] == pytest.approx(row["ms_per_step"] / others)


def test_what_a_run_learned_of_its_own_data_stands_beside_answers_without_an_image(
    tmp_path: Path,
) -> None:
    size = {"image_size": [100, 100], "model_size": [100, 100]}

    def place(number: int, x: int, found: float) -> dict[str, Any]:
        box = [x, 10, x + 20, 30]
        asked = {"kind": "locate", "question": "Where is the cup?", "answers": [], "correct": None}
        return record(number, **size, **asked, boxes_true=[["cup", box]], iou=found)

    def count(number: int, right: str, found: bool) -> dict[str, Any]:
        return record(number, **size, kind="count", answers=[right], correct=found)

    for point, good in (("start", False), ("sft", True)):
        places = [place(i, x, 0.8 if good else 0.0) for i, x in enumerate((10, 20, 30))]
        counts = [count(i + 3, right, good) for i, right in enumerate("1121")]
        write_answers(tmp_path / f"heldout_{point}.jsonl", [*places, *counts])
    write_json(tmp_path / "metrics.json", {"start": {}, "sft": {"val/acc": 1.0}, "time": {}})
    out = tmp_path / "figures.json"
    result = run("own_data", tmp_path, "--out", out)
    assert result.returncode == 0, result.stderr
    figures = json.loads(out.read_text())
    means = {name: figure["mean"] for name, figure in figures.items()}
    # Each box of 20 x 20 is compared with the mean of the two others, 15, 0 and 15 further right.
    shifted = 5 * 20 / (2 * 400 - 5 * 20)
    assert means == {
        "IoU of cup/trivial": pytest.approx((1 + 2 * shifted) / 3),
        "IoU of cup/start": 0.0,
        "IoU of cup/sft": pytest.approx(0.8),
        "accuracy, count/trivial": 0.75,
        "accuracy, count/start": 0.0,
        "accuracy, count/sft": 1.0,
    }
    assert result.stdout.splitlines()[0] == "|  | n | trivial | start | sft |"
    assert run("own_data", tmp_path / "none").returncode == 1


@pytest.mark.slow
def test_workers_of_a_cluster_are_measured_while_a_node_is_lost(tmp_path: Path) -> None:
    pytest.importorskip("ray", reason="Ray is not installed")
    out = tmp_path / "figures.json"
    small = ("--few", 300, "--only", "lost", "--contenders", "runner=ray")
    result = program("ray_tasks", *small, out=out)
    assert result.returncode == 0, result.stderr
    figures = json.loads(out.read_text())["lost"]["runner=ray"]
    assert figures["ended"] >= figures["first_seconds"] > 0
    assert figures["ahead"] <= 2 * TASKS_AHEAD * 8
