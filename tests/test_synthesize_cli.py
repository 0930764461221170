"""synthesize.py as a user runs it: killed and resumed, training on its data, mistakes."""

import json
import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest
from scripts import ROOT, environment, run_python

pytestmark = pytest.mark.slow

SMALL = ["scenes.size=40", "shard_size=60", "detector=oracle"]


synthesize = partial(run_python, "synthesize.py")


def places(folder: Path) -> list[str]:
    return [f"output_dir={folder}/run", f"cache_dir={folder}/cache"]


def content(folder: Path) -> dict[str, bytes]:
    """The content of all files, except those with times and paths."""
    told = ("metrics.json", "seconds.json", "resolved.yaml", "report.html")
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name not in told
    }


@pytest.fixture(scope="module")
def straight(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An undisturbed run."""
    folder = tmp_path_factory.mktemp("straight")
    result = synthesize(*SMALL, *places(folder))
    assert result.returncode == 0, result.stderr
    assert Path(result.stdout.splitlines()[-1]) == folder / "run"
    return folder / "run"


@pytest.mark.parametrize("images", [1, 25])
def test_a_killed_run_resumes_and_writes_the_same_files(
    straight: Path, tmp_path: Path, images: int
) -> None:
    run = tmp_path / "run"
    process = subprocess.Popen(
        [sys.executable, "synthesize.py", *SMALL, *places(tmp_path), "concurrency=2"],
        cwd=ROOT,
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 120
    while len(list(run.glob("images/*.png"))) < images and time.monotonic() < deadline:
        time.sleep(0.002)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not (run / "train.jsonl").exists()
    again = synthesize(*SMALL, *places(tmp_path), "concurrency=2")
    assert again.returncode == 0, again.stderr
    assert content(run) == content(straight)


TEACHER = """
import os
import signal
from pathlib import Path
from groundrl.synthesis.annotations import Caption

class Teacher:
    name = "away"
    def __call__(self, views):
        gone = os.environ.get("AWAY", "").split()
        deadly = Path(os.environ.get("DEADLY", "none"))
        if deadly.exists() and any(view.image.id == "000007" for view in views):
            deadly.unlink()
            os.kill(os.getpid(), signal.SIGKILL)
        return [
            None if view.image.id in gone else Caption(text="There is nothing.")
            for view in views
        ]
"""


def test_an_unreachable_teacher_leaves_images_unfinished(tmp_path: Path) -> None:
    (tmp_path / "away.py").write_text(TEACHER)
    path = f"{ROOT / 'src'}:{tmp_path}"
    chosen = ["scenes.size=5", "detector=oracle", *places(tmp_path)]
    chosen += ["teacher._target_=away.Teacher", "~teacher.error_rate", "~teacher.seed"]
    result = synthesize(*chosen, PYTHONPATH=path, AWAY="000002 000004")
    assert result.returncode == 1, result.stderr
    assert "2 images are unfinished" in result.stderr
    typed = result.stderr.splitlines()[-1]
    assert typed.strip().startswith("python synthesize.py scenes.size=5 detector=oracle")
    assert f"resume={tmp_path}/run" in typed
    assert len((tmp_path / "run" / "images.jsonl").read_text().splitlines()) == 3
    again = [line for line in chosen if not line.startswith("output_dir")]
    result = synthesize(*again, f"resume={tmp_path}/run", PYTHONPATH=path)
    assert result.returncode == 0, result.stderr
    assert len((tmp_path / "run" / "images.jsonl").read_text().splitlines()) == 5


def test_workers_on_ray_one_of_them_killed_write_the_same_files(tmp_path: Path) -> None:
    pytest.importorskip("ray", reason="Ray is not installed")
    (tmp_path / "away.py").write_text(TEACHER)
    deadly = tmp_path / "deadly"
    deadly.touch()
    chosen = ["scenes.size=20", "detector=oracle", "questions.heldout_share=0.3"]
    chosen += ["teacher._target_=away.Teacher", "~teacher.error_rate", "~teacher.seed"]
    ray = ["runner=ray", "runner.workers=2", "runner.num_cpus=0.5", "runner.task_size=3"]
    for folder, runner in (("here", ["runner=local"]), ("ray", ray)):
        result = synthesize(
            *chosen,
            *runner,
            *places(tmp_path / folder),
            PYTHONPATH=f"{ROOT / 'src'}:{tmp_path}",
            DEADLY=str(deadly) if folder == "ray" else "none",
        )
        assert result.returncode == 0, result.stderr
    assert not deadly.exists()
    assert content(tmp_path / "ray" / "run") == content(tmp_path / "here" / "run")


def test_the_data_is_trained_on_without_edits(straight: Path, tmp_path: Path) -> None:
    arguments = ["data=synthesized", f"data.root={straight}", "debug=tiny", *places(tmp_path)]
    result = run_python("train.py", *arguments)
    assert result.returncode == 0, result.stderr
    assert "heldout/acc" in json.loads((tmp_path / "run" / "metrics.json").read_text())["grpo"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["teacher=wrld"], "did you mean 'world'?"),
        (["images=nowhere"], "images=nowhere: no such folder"),
        (["cropping.max_crops=0"], "max_crops=0"),
        (["questions.kinds=[color,shape]"], "unknown kind of question: shape"),
        (["questions.kinds=[count,count]"], "a kind is given twice"),
        (["concurrency=0"], "concurrency=0"),
        (["repairs=-1"], "repairs=-1: type repairs=3"),
        (["shard_size=0"], "shard_size=0: type shard_size=10000"),
        (["runner=ray", "runner.workers=0"], "runner.workers=0: type runner.workers=1"),
        (["teacher.error_rate=2"], "teacher.error_rate=2"),
    ],
)
def test_a_mistake_gives_one_message(tmp_path: Path, arguments: list[str], message: str) -> None:
    result = synthesize("detector=oracle", *arguments, *places(tmp_path))
    assert result.returncode == 2, result.stderr
    assert message in result.stderr
    assert "Traceback" not in result.stderr
