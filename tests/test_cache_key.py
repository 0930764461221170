"""What answers are kept under."""

import os
from pathlib import Path

from groundrl.cache_key import MAX_VALUE_LENGTH, cache_key
from groundrl.chat.transformers import TransformersModel
from groundrl.chat.vllm import VLLMModel
from groundrl.synthesis.verifiers.rules import RuleVerifier


def test_settings_are_written_out_and_long_ones_as_their_digest() -> None:
    assert cache_key("m") == "m"
    assert cache_key("m", seed=3, dtype="auto", left=None) == 'm seed=3 dtype="auto"'
    long = cache_key("m", words=["word"] * MAX_VALUE_LENGTH)
    assert long.startswith("m words=#")
    assert len(long) < MAX_VALUE_LENGTH
    assert long != cache_key("m", words=["word"] * (MAX_VALUE_LENGTH + 1))


def test_no_two_settings_share_a_name() -> None:
    assert cache_key("m", kind="a b=1") != cache_key("m", kind="a", b=1)
    names = {RuleVerifier(vocabulary=v).name for v in ([], ["traffic", "light"], ["traffic light"])}
    assert len(names) == 3


def test_new_weights_in_the_same_folder_are_another_model(tmp_path: Path) -> None:
    for kind in (TransformersModel, VLLMModel):
        weights = tmp_path / "model.safetensors"
        weights.write_bytes(b"old")
        before = kind(str(tmp_path)).name
        assert kind(str(tmp_path)).name == before
        weights.write_bytes(b"new")
        later = weights.stat().st_mtime_ns + 10
        os.utime(weights, ns=(later, later))
        assert kind(str(tmp_path)).name != before
        assert kind("some/model").name.startswith('some/model dtype="auto" max_tokens=')
