"""What many tests need: a tiny policy of the real classes, scenes to ask it about, a full disk."""

import subprocess
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
import torch
from tiny_policies import tiny_policy, tiny_tokenizer
from transformers import PreTrainedTokenizerFast

from groundrl.policy.policy import Policy

torch.set_num_threads(1)


@pytest.fixture(scope="session")
def tokenizer() -> PreTrainedTokenizerFast:
    """See ``tiny_tokenizer``."""
    return tiny_tokenizer()


@pytest.fixture
def make_policy(tokenizer: PreTrainedTokenizerFast) -> Callable[..., Policy]:
    """See ``tiny_policy``."""
    return partial(tiny_policy, tokenizer)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Two megabytes; mounting takes root."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("mounting is not permitted here")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)
