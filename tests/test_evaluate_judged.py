"""evaluate.py with a judge: asked over HTTP, held against people, replayed offline, compared."""

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest
from chat_server import Body, chat_server, said
from replies import PLAIN, replies
from scripts import run_python

from groundrl.answers.record import AnswerOrigin
from groundrl.evaluation.benchmarks.world import WorldVQA
from groundrl.evaluation.inference import prediction_line
from groundrl.records import Sample

NOWHERE = "http://127.0.0.1:9/v1"


def evaluate(*arguments: str) -> subprocess.CompletedProcess[str]:
    result = run_python("evaluate.py", *arguments, "cache_dir=null")
    assert "Traceback" not in result.stderr
    return result


def metrics(result: subprocess.CompletedProcess[str]) -> dict[str, float]:
    """What the run wrote that it printed last."""
    assert result.returncode == 0, result.stderr
    figures = json.loads((Path(result.stdout.splitlines()[-1]) / "metrics.json").read_text())
    return {name: value for name, value in figures.items() if not name.startswith("time/")}


def answered(path: Path, samples: Sequence[Sample]) -> Path:
    """A file of reasoned answers to questions of ``world_vqa``."""
    origin = AnswerOrigin(notation=PLAIN)
    text = "<think>It is so.</think><answer>{}</answer>"
    lines = [
        prediction_line(one, "world_vqa", origin)
        for one in replies(WorldVQA(), samples, lambda one: text.format(one.answers[0]))
    ]
    path.write_text("".join(lines))
    return path


@pytest.mark.slow
def test_a_served_judge_is_held_against_people_replayed_and_compared(tmp_path: Path) -> None:
    samples = WorldVQA(size=4).questions().samples

    def verdict(body: Body) -> str:
        right = samples[0].question in said(body)
        return json.dumps({"aligned": right, "flaw": "none" if right else "other", "reason": ""})

    labels = tmp_path / "labels.jsonl"
    rows = [{"set": "world_vqa", "id": s.id, "aligned": s is samples[0]} for s in samples]
    rows += [{"set": "pope", "id": samples[0].id, "aligned": False}]
    labels.write_text("".join(json.dumps(row) + "\n" for row in rows))
    chosen = ["benchmark=world_vqa", "benchmark.world_vqa.size=4", f"labels={labels}"]
    chosen += ["judge=vllm_server", "judge.chat.model=m"]
    first, second = tmp_path / "first", tmp_path / "second"
    given = answered(tmp_path / "answers.jsonl", samples)
    with chat_server(verdict) as served:
        result = evaluate(
            *chosen, f"judge.chat.urls=[{served.url}]", f"predictions={given}",
            f"output_dir={first}",
        )  # fmt: skip
    found = metrics(result)
    assert "judge 4/4" in result.stderr
    assert "1 of 5 labels are of no answer in this run" in result.stderr
    assert found["world_vqa/alignment"] == 0.25
    assert (found["world_vqa/labels_n"], found["world_vqa/kappa"]) == (4, 1)
    again = evaluate(
        *chosen, f"judge.chat.urls=[{NOWHERE}]", f"predictions={first}/predictions.jsonl",
        f"judgements={first}/judgements.jsonl", f"output_dir={second}",
    )  # fmt: skip
    assert metrics(again) == found
    compared = evaluate(f"compare=[{first},{second}]", f"output_dir={tmp_path}/compared")
    differences = metrics(compared)
    assert differences["world_vqa/correct_change"] == 0
    assert differences["world_vqa/correct_n"] == 4
    assert "answer by answer only" not in compared.stdout
