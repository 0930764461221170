"""One process at a time holds a lock: on one machine, on several, and without ``flock``."""

import errno
import fcntl
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from groundrl.errors import UserError
from groundrl.running import locks
from groundrl.running.locks import Claim, FileLock, LockedError, lock_file, lock_folder, machine

ROOT = Path(__file__).parents[1]
NO_FLOCK = """
import errno, fcntl, sys
from pathlib import Path
def flock(*_):
    raise OSError(errno.ENOLCK, "No locks available")
fcntl.flock = flock
"""
HOLD = """
from groundrl.running.locks import lock_folder
with lock_folder(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""
COUNT = """
import time
from groundrl.running.locks import FileLock, LockedError
folder = Path(sys.argv[1])
for _ in range(10):
    while True:
        try:
            lock = FileLock(folder / ".lock")
            break
        except LockedError:
            time.sleep(0.01)
    count = int((folder / "count").read_text())
    time.sleep(0.005)
    (folder / "count").write_text(str(count + 1))
    lock.release()
"""


@pytest.fixture
def no_flock(monkeypatch: pytest.MonkeyPatch) -> None:
    """The file system has none."""

    def flock(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", flock)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts code in a process of its own, with ``tmp_path`` as its argument."""
    started: list[subprocess.Popen[str]] = []

    def run(code: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", code, str(tmp_path)],
            env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield run
    for process in started:
        process.kill()
        process.communicate()


def claim_of(folder: Path, claimed_on: str, pid: int, age: float = 0.0) -> Path:
    """As a process puts it up."""
    path = folder / f".lock.{claimed_on}.{pid}.00c0ffee"
    path.touch()
    os.utime(path, (time.time() - age, time.time() - age))
    return path


def test_one_run_at_a_time_writes_to_a_folder(tmp_path: Path) -> None:
    busy = rf"another run .*output_dir=<folder> \(it is process {os.getpid()} on "
    with lock_folder(tmp_path), pytest.raises(UserError, match=busy):
        lock_folder(tmp_path).__enter__()
    (tmp_path / ".lock").write_text("process 1 on host")  # as a killed run leaves it
    with lock_folder(tmp_path):
        pass
    assert [path.name for path in tmp_path.iterdir()] == [".lock"]


@pytest.mark.usefixtures("no_flock")
def test_without_flock_the_message_says_who_has_it_and_what_to_type(tmp_path: Path) -> None:
    with lock_file(tmp_path / "a b", "busy"), pytest.raises(UserError) as refused:
        lock_file(tmp_path / "a b", "busy").__enter__()
    assert re.match(
        rf"busy \(it is process {os.getpid()} on \S+, which was alive \d s ago; if it is gone, "
        rf"type rm '{tmp_path}/\.a b\.lock\.{machine()}\.",
        str(refused.value),
    )
    with lock_file(tmp_path / "a b", "busy"):
        pass
    assert [path.name for path in tmp_path.iterdir()] == [".a b.lock"]


@pytest.mark.usefixtures("no_flock")
@pytest.mark.parametrize(
    ("claimed_on", "pid", "age", "live"),
    [
        (machine(), os.getpid(), 9e9, True),
        (machine(), 1, 9e9, True),  # of another user, perhaps
        (machine(), 2**22 + 1, 0.0, False),  # above the largest id of a process
        ("elsewhere-00000000", 2**22 + 1, 30.0, True),
        ("elsewhere-00000000", os.getpid(), 121.0, False),
    ],
    ids=["ours", "of another user", "gone", "elsewhere", "silent elsewhere"],
)
def test_a_dead_claim_is_removed(
    tmp_path: Path, claimed_on: str, pid: int, age: float, live: bool
) -> None:
    claim = claim_of(tmp_path, claimed_on, pid, age)
    if live:
        host = claimed_on.rpartition("-")[0]
        with pytest.raises(LockedError, match=rf"process {pid} on {host}, which was"):
            FileLock(tmp_path / ".lock")
    else:
        FileLock(tmp_path / ".lock").release()
    assert claim.exists() == live
    assert len([*tmp_path.iterdir()]) == 1 + live


@pytest.mark.usefixtures("no_flock")
def test_a_claim_is_renewed_while_its_process_lives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(locks, "RENEWED_EVERY", 0.01)
    with lock_folder(tmp_path):
        (claim,) = tmp_path.glob(".lock.*")
        os.utime(claim, (1, 1))
        until = time.monotonic() + 10
        while claim.stat().st_mtime < 2 and time.monotonic() < until:
            time.sleep(0.01)
        assert claim.stat().st_mtime > 2


def test_a_claim_of_a_machine_is_shared_by_its_processes_only(tmp_path: Path) -> None:
    lock = tmp_path / ".lock"
    own = [Claim(lock, share_with_machine=True) for _ in range(2)]
    claim_of(tmp_path, "elsewhere-00000000", 12)
    with pytest.raises(LockedError, match="process 12 on elsewhere"):
        Claim(lock, share_with_machine=True)
    for claim in own:
        claim.release()


def test_an_error_of_another_kind_is_raised(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def flock(*_: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(fcntl, "flock", flock)
    with pytest.raises(OSError, match="Input/output"):
        FileLock(tmp_path / ".lock")


@pytest.mark.slow
@pytest.mark.parametrize("prelude", ["import sys\nfrom pathlib import Path\n", NO_FLOCK])
def test_a_killed_process_holds_nothing(
    tmp_path: Path, start: Callable[[str], subprocess.Popen[str]], prelude: str
) -> None:
    first, second, third = (start(prelude + HOLD) for _ in range(3))
    said = {one.stdout.readline(): one for one in (first, second, third) if one.stdout}
    assert set(said) == {"held\n", ""}  # of three at once one has it
    said["held\n"].kill()
    said["held\n"].wait()
    again = start(prelude + HOLD)
    assert again.stdout is not None
    assert again.stdout.readline() == "held\n"


@pytest.mark.slow
@pytest.mark.parametrize("prelude", ["import sys\nfrom pathlib import Path\n", NO_FLOCK])
def test_nothing_is_lost_that_is_counted_under_a_lock(
    tmp_path: Path, start: Callable[[str], subprocess.Popen[str]], prelude: str
) -> None:
    (tmp_path / "count").write_text("0")
    processes = [start(prelude + COUNT) for _ in range(4)]
    assert [process.wait(60) for process in processes] == [0] * 4
    assert (tmp_path / "count").read_text() == "40"
