"""Language models that cannot answer are told of with the rest of the config."""

import sys
from pathlib import Path
from typing import Any

import pytest
from config_problems import problems
from omegaconf import OmegaConf

from groundrl.config.check import check_config

ROLES = {
    "judge": "groundrl.evaluation.judging.chat_judge.ChatJudge",
    "teacher": "groundrl.synthesis.teachers.prompted.PromptedTeacher",
    "verifier": "groundrl.synthesis.verifiers.prompted.PromptedVerifier",
}
VLLM = {"_target_": "groundrl.chat.vllm.VLLMModel", "model": "qwen"}
TRANSFORMERS = {"_target_": "groundrl.chat.transformers.TransformersModel", "model": "qwen"}
SERVED = {
    "_target_": "groundrl.chat.openai_compatible.OpenAICompatibleModel",
    "model": "/nope",
    "urls": ["http://x"],
}


def config(role: str, chat: dict[str, Any]) -> dict[str, Any]:
    return {role: {"_target_": ROLES[role], "chat": chat}}


@pytest.mark.parametrize("role", ROLES)
def test_a_key_that_is_not_set_is_an_error(monkeypatch: pytest.MonkeyPatch, role: str) -> None:
    tree = config(role, SERVED | {"key_variable": "NO_SUCH_KEY"})
    (problem,) = problems(tree)
    assert problem.startswith(f"{role}.chat.key_variable=NO_SUCH_KEY is not set: type export NO")
    monkeypatch.setenv("NO_SUCH_KEY", "of a test")
    check_config(OmegaConf.create(tree))


@pytest.mark.parametrize("role", ROLES)
def test_a_missing_vllm_is_an_error(monkeypatch: pytest.MonkeyPatch, role: str) -> None:
    monkeypatch.setitem(sys.modules, "vllm", None)
    (problem,) = problems(config(role, VLLM))
    assert f"{role}=vllm needs vLLM, which is not installed: type pip install vllm" in problem


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("chat", [VLLM, TRANSFORMERS])
@pytest.mark.parametrize("model", ["/nope", "./nope", "~/nope"])
def test_a_folder_that_is_not_there_is_an_error(
    role: str, chat: dict[str, Any], model: str
) -> None:
    pytest.importorskip("vllm", reason="vLLM has no build for this machine")
    (problem,) = problems(config(role, chat | {"model": model}))
    assert problem.startswith(f"{role}.chat.model={model}: no such folder")


def test_servers_and_replays_know_models_by_any_name(tmp_path: Path) -> None:
    check_config(OmegaConf.create(config("judge", SERVED)))
    kept = tmp_path / "judgements.jsonl"
    kept.touch()
    tree = config("judge", TRANSFORMERS | {"model": "/nope"}) | {"judgements": str(kept)}
    check_config(OmegaConf.create(tree))
