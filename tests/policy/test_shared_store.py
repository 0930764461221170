"""A store of vision features that belongs to another user costs time, never the run."""

import multiprocessing
import os
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from groundrl.policy.vision_store import VisionFeatures, VisionStore

FEATURES = VisionFeatures(tokens=torch.ones(2, 3), deepstack=())
NOBODY = 65534


@pytest.fixture
def theirs() -> Iterator[Path]:
    """A store of ours that others can look into."""
    if os.getuid():
        pytest.skip("only root can be two users")
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def _use(folder: Path, max_gb: float, readable: bool) -> None:
    os.setgid(NOBODY)
    os.setuid(NOBODY)
    store, cpu = VisionStore(folder, max_gb), torch.device("cpu")
    path = folder / "ab" / "x.safetensors"
    found = store.read(path, cpu)
    assert (found is not None) == readable
    assert found is None or torch.equal(found.tokens, torch.ones(2, 3))
    with warnings.catch_warnings(record=True, action="always") as told:
        for new in (folder / "ab" / "y.safetensors", folder / "cd" / "z.safetensors"):
            store.write(new, FEATURES)
            assert store.read(new, cpu) is None
    text = f"vision features are not stored in {folder}: Permission denied"
    assert {str(warning.message) for warning in told} == {text}


@pytest.mark.slow
@pytest.mark.parametrize("mode", [0o644, 0o600])
@pytest.mark.parametrize("max_gb", [1.0, 0.0])  # 0: every file would have to be deleted
def test_another_users_store_is_read_where_it_can_be(
    theirs: Path, mode: int, max_gb: float
) -> None:
    path = theirs / "ab" / "x.safetensors"
    VisionStore(theirs).write(path, FEATURES)
    path.chmod(mode)
    other = multiprocessing.get_context("fork").Process(
        target=_use, args=(theirs, max_gb, mode == 0o644)
    )
    other.start()
    other.join()
    assert other.exitcode == 0
    assert path.exists()
