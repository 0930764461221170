"""synthesize.py with language models behind HTTP: requests, tokens, cost and budgets."""

import json
import shlex
import subprocess
from pathlib import Path

import pytest
from chat_server import Body, chat_server
from scripts import run_python

ROOT = Path(__file__).parent.parent
CHOSEN = ["scenes.size=6", "detector=oracle", "concurrency=2"]
TEACHER_PRICE = [f"teacher.chat.spending.price.{what}=1000" for what in ("prompt", "completion")]
VERIFIER_PRICE = [f"verifier.chat.spending.price.{what}=2000" for what in ("prompt", "completion")]
PER_CAPTION, PER_VERDICT = 0.01, 0.02
"""Of 7 + 3 tokens."""


def synthesize(*arguments: str) -> subprocess.CompletedProcess[str]:
    return run_python("synthesize.py", *arguments, OPENAI_API_KEY="sk-of-nobody")


def is_teacher(body: Body) -> bool:
    return "caption" in body["response_format"]["json_schema"]["schema"]["properties"]


def answer(body: Body) -> str:
    if is_teacher(body):
        return json.dumps({"caption": "There is a thing."})
    return json.dumps(
        {"reason": "true", "decision": "keep", "kind": "none", "span": "", "repaired": ""}
    )


def figures(run: Path) -> dict[str, float]:
    return json.loads((run / "metrics.json").read_text())


def paid(url: str, folder: Path) -> list[str]:
    """Both are paid, and asked for one thing at a time."""
    roles = [
        [f"{role}=openai", f"{role}.chat.model=m", f"{role}.chat.urls=[{url}]"]
        for role in ("teacher", "verifier")
    ]
    at_once = ["+teacher.chat.at_once=1", "+verifier.chat.at_once=1"]
    return [*CHOSEN, *sum(roles, at_once), f"cache_dir={folder}/cache"]


@pytest.mark.slow
def test_a_spent_budget_ends_a_run_and_a_larger_one_resumes_it(tmp_path: Path) -> None:
    run = tmp_path / "run"
    with chat_server(answer) as served:
        chosen = [*paid(served.url, tmp_path), *TEACHER_PRICE, *VERIFIER_PRICE]
        result = synthesize(*chosen, "teacher.chat.spending.budget=0.16", f"output_dir={run}")
        assert result.returncode == 1, result.stderr
        assert sum(map(is_teacher, served.bodies)) == 16
        first = figures(run)
        assert first["images"] == 6
        assert 0 < first["unfinished"] < 6
        kept = (run / "images.jsonl").read_text().splitlines()
        assert len(kept) == 6 - first["unfinished"]
        said, _, typed = result.stderr.splitlines()[-3:]
        assert said == (
            f"{first['unfinished']:.0f} images are unfinished: the budget is spent, 112 prompt "
            "and 48 completion tokens cost 0.1600."
        )
        python, *again = shlex.split(typed)
        assert python == "python"
        assert f"resume={run}" in again
        assert "teacher.chat.spending.budget=<more than 0.16>" in again
        again = [line.replace("<more than 0.16>", "0.18") for line in again[1:]]
        result = synthesize(*again)
        assert result.returncode == 1, result.stderr
        assert sum(map(is_teacher, served.bodies)) == 18
        result = synthesize(*[line.replace("0.18", "9") for line in again])
        assert result.returncode == 0, result.stderr
        asked = len(served.bodies)
    assert (run / "images.jsonl").read_text().splitlines()[: len(kept)] == kept
    last = figures(run)
    assert asked == 2 * last["captions"]
    assert last["cost"] == pytest.approx((PER_CAPTION + PER_VERDICT) * last["captions"])
    assert f"cost {last['cost']:.2f}" in (run / "report.html").read_text()
    assert "unfinished" not in last


@pytest.mark.slow
def test_teacher_and_verifier_behind_a_server_make_the_data(tmp_path: Path) -> None:
    broken: list[Body] = []

    def reply(body: Body) -> str:
        if not broken and is_teacher(body):
            broken.append(body)
            return '{"caption": "There is'
        return answer(body)

    with chat_server(reply) as served:
        servers = [
            f"{role}.chat.{what}"
            for role in ("teacher", "verifier")
            for what in (f"model={role}-model", f"urls=[{served.url}]")
        ]
        chosen = [*CHOSEN, "teacher=vllm_server", "verifier=vllm_server", "verifier.sees=false"]
        chosen += [*servers, f"cache_dir={tmp_path}/cache"]
        result = synthesize(*chosen, f"output_dir={tmp_path}/run")
        assert result.returncode == 0, result.stderr
        asked = len(served.bodies)
        result = synthesize(*chosen, f"output_dir={tmp_path}/again")
        assert result.returncode == 0, result.stderr
        assert len(served.bodies) == asked
    for body in served.bodies:
        content = body["messages"][0]["content"]
        assert body["model"] == ("teacher-model" if is_teacher(body) else "verifier-model")
        assert isinstance(content, list) == is_teacher(body)
    found = figures(tmp_path / "run")
    assert asked == 2 * found["captions"] + 1
    assert (found["tokens"], found["cost"]) == (10 * asked, 0.0)
    assert found["verdicts/verifier/keep"] == found["captions"]
    lines = (tmp_path / "run" / "images.jsonl").read_text()
    assert (tmp_path / "again" / "images.jsonl").read_text() == lines
    made_by = json.loads(lines.splitlines()[0])["made_by"]
    assert made_by["captions"].startswith('teacher-model teacher prompt="')
    assert made_by["verdicts"].startswith('verifier-model verifier prompt="')
    assert "sees=false max_side=1024 seed=0" in made_by["verdicts"]
    assert (tmp_path / "run" / "train.jsonl").read_text()
