"""A fingerprint shows every change of every bit."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from groundrl.policy import fingerprint as module
from groundrl.policy.fingerprint import fingerprint


@given(seed=st.integers(0, 99), bit=st.integers(0, 31), word=st.integers(0, 11))
def test_one_bit_shows(seed: int, bit: int, word: int) -> None:
    tensor = torch.randn(3, 4, generator=torch.Generator().manual_seed(seed))
    changed = tensor.clone()
    changed.view(torch.int32).view(-1)[word] ^= 1 << bit if bit < 31 else -(2**31)
    assert fingerprint([changed]) != fingerprint([tensor])


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64, torch.uint8])
def test_order_and_chunks(dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch) -> None:
    a, b = torch.arange(100).to(dtype), torch.arange(100).flip(0).to(dtype)
    assert fingerprint([a, b]) != fingerprint([b, a])
    assert fingerprint([a]) != fingerprint([b])
    whole = fingerprint([a, b])
    monkeypatch.setattr(module, "CHUNK", 7)
    assert fingerprint([a, b]) == whole
