"""train.py as a process: typing mistakes, broken data, interrupted runs."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig
from PIL import Image
from scripts import ROOT, environment, run_python

from groundrl.errors import UserError
from groundrl.launch.main import run
from groundrl.launch.resolved import save_resolved
from groundrl.launch.resolvers import register_resolvers

TINY = [
    "debug=tiny",
    "data.heldout_size=2",
    "cache_dir=null",
]
NOWHERE = "no/such/model"
"""Loading it would raise another error."""


def train(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the script to its end."""
    return run_python("train.py", *arguments)


def assert_one_message(result: subprocess.CompletedProcess[str], *parts: str) -> None:
    """Status 2, one block of text on standard error that holds ``parts``, nothing else."""
    assert result.returncode == 2, result.stderr
    assert result.stdout == ""
    assert "Traceback" not in result.stderr
    assert "\n\n" not in result.stderr.strip()
    for part in parts:
        assert part in result.stderr


@pytest.fixture
def config() -> Iterator[Any]:
    register_resolvers(ROOT)
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        yield lambda *lines: compose("train", [*TINY, *lines])


def run_in_process(cfg: DictConfig) -> None:
    """What ``train.py`` does after composing."""
    run("train", cfg)


@pytest.mark.slow
@pytest.mark.parametrize("arguments", [["--help"], ["--cfg", "job", "reward=acc"]])
def test_help_and_the_config_come_without_loading_torch(arguments: list[str]) -> None:
    command = [sys.executable, "-X", "importtime", "train.py", *arguments]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0
    assert "reward" in result.stdout
    imported = {line.rpartition("|")[2].strip() for line in result.stderr.splitlines()}
    assert "hydra" in imported
    assert not imported & {"torch", "transformers", "lightning", "numpy"}


def test_one_error_lists_all_misspellings_with_what_was_meant(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    assert_one_message(
        train("reward=iou+ac", "stage.sft.stpes=3", f"output_dir={tmp_path}/file/run"),
        "3 problems",
        "did you mean 'iou+acc'?",
        "did you mean 'stage.sft.steps'?",
        "file is a file",
    )


@pytest.mark.slow
def test_a_config_that_makes_no_sense_trains_nothing(tmp_path: Path) -> None:
    result = train(
        "stage.grpo.module.sampler.group_size=1",
        "+stage.grpo.module.loss.clip_hihg=0.3",
        f"output_dir={tmp_path}/run",
    )
    assert_one_message(result, "2 problems", "group_size=8", "did you mean 'clip_high'?")
    assert not (tmp_path / "run").exists()


# ------------------------------------------------------------------------------------------ data


def row(index: int, **fields: Any) -> dict[str, Any]:
    return {
        "id": f"s{index}",
        "image": "cat.jpg",
        "question": "Which animal is it?",
        "options": ["cat", "dog"],
        "answers": ["cat"],
        "groundings": [{"label": "cat", "box": [8, 8, 40, 40]}],
        "rationale": [{"label": "cat", "box": [8, 8, 40, 40]}, {"text": " is furry."}],
        "provenance": {"dataset": "cats", "split": "train"},
        **fields,
    }


def jsonl(folder: Path, lines: list[str]) -> str:
    Image.new("RGB", (64, 64), "orange").save(folder / "cat.jpg")
    (folder / "train.jsonl").write_text("\n".join(lines) + "\n")
    return f"data.path={folder}/train.jsonl"


BROKEN = {
    "no boxes": (
        [row(i, groundings=[], rationale=[{"text": "furry"}]) for i in range(3)],
        r"reward\.terms\.iou needs groundings, but none of the 3 training samples has any",
    ),
    "line 17": (
        [*(row(i) for i in range(16)), '{"id": "s16", "image": '],
        r"train\.jsonl:17: ",
    ),
    "missing image": ([row(0, image="dog.jpg")], r"'dog\.jpg': no such image"),
    "box outside": (
        [row(0, groundings=[{"label": "cat", "box": [8, 8, 400, 40]}])],
        "lies outside the image of 64 x 64 pixels",
    ),
    "swapped corners": (
        [row(0, groundings=[{"label": "cat", "box": [40, 8, 8, 40]}])],
        r"train\.jsonl:1: .*x",
    ),
    "not a number": (
        ['{"id": "s0", "image": "cat.jpg", "question": "?", "provenance": {"dataset": "a", '
         '"split": "b"}, "groundings": [{"label": "cat", "box": [NaN, 8, 40, 40]}]}'],
        r"train\.jsonl:1: ",
    ),
    "no reasoning": (
        [row(0), row(1, rationale=None)],
        r"1 of 2 training samples have no rationale, 's1' for example",
    ),
    "empty": ([], "no samples"),
}  # fmt: skip


@pytest.mark.usefixtures("config")
@pytest.mark.parametrize("name", BROKEN)
def test_broken_data_is_an_error_before_the_weights_are_loaded(tmp_path: Path, name: str) -> None:
    rows, message = BROKEN[name]
    lines = [line if isinstance(line, str) else json.dumps(line) for line in rows]
    path = jsonl(tmp_path, lines)
    cfg = compose("train", ["data=jsonl", path, f"model.path={NOWHERE}", f"resume={tmp_path}"])
    save_resolved(cfg, tmp_path / "resolved.yaml")
    with pytest.raises(UserError, match=message):
        run_in_process(cfg)


@pytest.mark.slow
def test_a_truncated_image_stops_the_script_with_one_message(tmp_path: Path) -> None:
    path = jsonl(tmp_path, [json.dumps(row(0))])
    image = tmp_path / "cat.jpg"
    Image.effect_noise((64, 64), 80).save(image)
    image.write_bytes(image.read_bytes()[:-400])
    result = train("data=jsonl", path, f"output_dir={tmp_path}/run")
    assert_one_message(result, "train.jsonl:1", "cat.jpg", "truncated")
    assert not list((tmp_path / "run").rglob("*.ckpt"))


# ---------------------------------------------------------------------------------------- resume


def test_only_a_run_can_be_resumed(tmp_path: Path, config: Any) -> None:
    with pytest.raises(UserError, match=r"is no run directory: it has no resolved\.yaml"):
        run_in_process(config(f"resume={tmp_path}"))


def test_a_run_is_not_resumed_with_another_config(tmp_path: Path, config: Any) -> None:
    save_resolved(config("seed=3"), tmp_path / "resolved.yaml")
    with pytest.raises(UserError, match="seed was 3 and is now 0: type seed=3"):
        run_in_process(config(f"resume={tmp_path}"))


@pytest.mark.slow
def test_a_run_directory_goes_on_with_its_own_config_only(tmp_path: Path, config: Any) -> None:
    (tmp_path / "checkpoints").mkdir()
    save_resolved(config("seed=3"), tmp_path / "resolved.yaml")
    result = train(*TINY, f"output_dir={tmp_path}")
    assert_one_message(result, "was started with another config", "seed was 3 and is now 0")


@pytest.mark.slow
def test_ctrl_c_names_the_command_that_goes_on_and_it_does(tmp_path: Path) -> None:
    run = tmp_path / "a run"
    arguments = [*TINY, "stage.sft.steps=40", f"output_dir={run}"]
    process = subprocess.Popen(
        [sys.executable, "train.py", *arguments],
        cwd=ROOT,
        env=environment(),
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stderr is not None
    # The first line of the stage's progress: its first step is done.
    heard = next(line for line in process.stderr if line.startswith("sft"))
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=120)
    assert process.returncode == 130, heard + stderr
    assert "Traceback" not in stderr
    assert stderr.count("To go on, type") == 1
    assert (run / "checkpoints" / "sft" / "last.ckpt").is_file()
    assert not (run / "metrics.json").exists()

    command = stderr.strip().splitlines()[-1]
    assert command.split()[:2] == ["python", "train.py"]
    command = command.replace("python", sys.executable, 1)
    start = time.perf_counter()
    resumed = subprocess.run(
        command,
        shell=True,
        cwd=ROOT,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert resumed.returncode == 0, resumed.stderr
    assert time.perf_counter() - start < 300
    assert resumed.stdout.splitlines()[-1] == str(run)
    assert json.loads((run / "metrics.json").read_text()).keys() == {"start", "sft", "grpo", "time"}
    # Everything on standard error is a progress line of ours.
    strangers = [
        line
        for line in resumed.stderr.splitlines()
        if not line.startswith(("held-out ", "sft ", "grpo "))
    ]
    assert strangers == []


@pytest.mark.slow
def test_grpo_begins_with_the_adapter_of_an_earlier_run(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    done = train(
        *TINY, "pipeline=[sft]", "stage.sft.module.optimization.lr=0.1", f"output_dir={first}"
    )
    assert done.returncode == 0, done.stderr
    assert_one_message(
        train(*TINY, f"model.path={first}/adapter", f"output_dir={second}"),
        f"model.path={first}/adapter is an adapter: type adapter.path={first}/adapter beside",
    )
    assert_one_message(
        train(*TINY, f"adapter.path={first}", f"output_dir={second}"),
        "is no adapter in PEFT format",
    )
    done = train(*TINY, "pipeline=[grpo]", f"adapter.path={first}/adapter", f"output_dir={second}")
    assert done.returncode == 0, done.stderr
    before, after = (json.loads((run / "metrics.json").read_text()) for run in (first, second))
    assert after["start"] == before["sft"] != before["start"]
