"""A disk that is full before the files of a run are complete: one message, and nothing is lost."""

import gc
import shutil
from pathlib import Path

import pytest
from scripts import run_python
from synthesis_runs import content, synthesis

from groundrl.errors import UserError, is_disk_full

ROOT = Path(__file__).parents[2]


def leave(disk: Path, kilobytes: int) -> Path:
    """Of the space; returns a file of another program, which takes the rest."""
    taken = disk / "someone_elses"
    taken.write_bytes(bytes(shutil.disk_usage(disk).free - 1024 * kilobytes))
    return taken


@pytest.mark.slow
@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("share", [0.0, 0.1, 0.3, 0.5, 0.7, 0.9, 0.97])
def test_a_run_that_finds_the_disk_full_goes_on_to_the_same_files(
    tmp_path: Path, small_disk: Path, share: float
) -> None:
    whole = tmp_path / "whole"
    synthesis(whole).run()
    needed = sum(path.stat().st_size for path in whole.rglob("*") if path.is_file()) // 1024
    taken = leave(small_disk, int(share * needed))
    run = small_disk / "run"
    with pytest.raises((OSError, UserError)) as told:
        synthesis(run).run()
    error = told.value
    assert isinstance(error, UserError) or is_disk_full(error)
    assert not list(run.glob(".*.partial"))
    del told, error
    gc.collect()  # what was left open would complain now
    taken.unlink()
    assert synthesis(run).run().unfinished == 0
    assert content(run) == content(whole)


@pytest.mark.slow
def test_a_full_disk_gives_one_message(tmp_path: Path, small_disk: Path) -> None:
    taken = leave(small_disk, 200)
    command = ["synthesize.py", "detector=oracle", "scenes.size=40"]
    places = [f"output_dir={small_disk}/run", f"cache_dir={tmp_path}/cache"]
    full = run_python(*command, *places)
    assert full.returncode == 2
    assert "Traceback" not in full.stderr
    assert full.stderr.count("No space left") == 0
    told = full.stderr.rpartition("no space left on the disk")[2]
    assert "free some. To go on, type\n  python synthesize.py detector=oracle" in told
    taken.unlink()
    again = run_python(*command, *places)
    assert again.returncode == 0
