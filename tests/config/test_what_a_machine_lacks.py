"""Choices that need what is not installed, or has no room."""

import pytest
from config_problems import problems
from omegaconf import OmegaConf

from groundrl.config import crosschecks
from groundrl.config.check import check_config

VLLM = {"_target_": "groundrl.rollout.vllm.VLLMEngine"}


def test_a_rank_that_vllm_has_no_room_for_is_told() -> None:
    pytest.importorskip("vllm", reason="vLLM has no build for this machine")
    assert problems({"rollout": VLLM, "adapter": {"rank": 600}}) == [
        "adapter.rank=600 is more than vLLM makes room for: type adapter.rank=512 or less, or "
        "rollout=native"
    ]
    check_config(OmegaConf.create({"rollout": VLLM, "adapter": {"rank": 512}}))


def test_a_vllm_that_is_not_installed_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crosschecks, "find_spec", lambda name: None)
    (problem,) = problems({"rollout": VLLM})
    assert problem.startswith("rollout=vllm needs vLLM, which is not installed: type pip install")


def test_a_compiler_that_is_not_there_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crosschecks, "which", lambda name: None)
    native = {"_target_": "groundrl.rollout.native.NativeEngine", "compile": True}
    (problem,) = problems({"rollout": native})
    assert problem.endswith("install one, or type rollout.compile=false")


def test_flash_attention_shares_no_prefixes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crosschecks, "find_spec", lambda name: True)
    (problem,) = problems(
        {"model": {"attention": "flash_attention_2"}, "trainer": {"accelerator": "auto"}}
    )
    assert "type model.prefix_sharing=false, or model.attention=flex_attention" in problem
