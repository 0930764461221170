"""Locks between processes, also between machines, and where the file system has none.

``flock(2)`` is the lock: it ends with its process, however that ends. Some network folders have no
``flock``; there, a process claims the lock by a file beside it, named after machine and process,
whose time is renewed as long as the process lives. It has the lock where it then finds no other
live claim. Every process claims first and looks second, so that of two at least one sees the
other. No name is used twice, so that every process can remove dead claims.
"""

import errno
import fcntl
import hashlib
import os
import random
import re
import shlex
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from groundrl.errors import UserError

LOCK: Final = ".lock"
"""The file of a folder that one run at a time may write to."""
NO_FLOCK: Final = (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS)
"""Errors of ``flock`` on a file system without it."""
RENEWED_EVERY: Final = 20.0
"""Seconds between two renewals of a claim."""
DEAD_AFTER: Final = 120.0
"""Seconds after which a claim of another machine is dead; a network folder may show a time that is
a minute old."""
TRIES: Final = 5
"""Of two that begin at the same time both may give way; one is first the next time."""
CLAIM: Final = re.compile(r"\.(?P<machine>(?P<host>.+)-[0-9a-f]{8})\.(?P<pid>\d+)\.[0-9a-f]{8}")
"""Behind the name of a lock: ``.<host>-<its start>.<process>.<unique>``."""


class LockedError(Exception):
    """Another process holds the lock; the text says which one, and what to do if it is gone."""


@contextmanager
def lock_folder(folder: Path) -> Iterator[None]:
    """Lock the folder until the end of the block or of the process, however it ends.

    Raises UserError where another run holds the lock.
    """
    busy = f"{folder}: another run is writing here; wait for it, or type output_dir=<folder>"
    with _lock(folder / LOCK, busy):
        yield


@contextmanager
def lock_file(path: Path, busy: str) -> Iterator[None]:
    """Lock a file, not its folder, until the end of the block or of the process: by ``.name.lock``
    beside it. Raises UserError(busy) where another process holds the lock."""
    with _lock(lock_of(path), busy):
        yield


@contextmanager
def _lock(path: Path, busy: str) -> Iterator[None]:
    try:
        lock = FileLock(path)
    except LockedError as error:
        raise UserError(f"{busy} (it is {error})") from error
    try:
        yield
    finally:
        lock.release()


def lock_of(path: Path) -> Path:
    """``.name.lock`` beside a file."""
    return path.with_name(f".{path.name}{LOCK}")


class FileLock:
    """A lock that this process holds until ``release``, or until it ends."""

    def __init__(self, path: Path) -> None:
        """Raises LockedError where another process holds it; does not wait."""
        self._claim: Claim | None = None
        self._file = path.open("a+")
        try:
            self._take(path)
        except BaseException:
            self._file.close()
            raise
        # Who holds it, for the message; what counts is the lock, which ends with its process.
        self._file.truncate(0)
        self._file.write(f"process {os.getpid()} on {socket.gethostname()}")
        self._file.flush()

    def _take(self, path: Path) -> None:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            self._file.seek(0)
            raise LockedError(self._file.read() or "a process that has just begun") from error
        except OSError as error:
            if error.errno not in NO_FLOCK:
                raise
            self._claim = Claim(path)

    def release(self) -> None:
        """Let others have it."""
        self._file.truncate(0)
        self._file.close()
        if self._claim is not None:
            self._claim.release()


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimant:
    """Another live claim on a lock."""

    path: Path
    machine: str
    host: str
    pid: int
    age: float
    """Seconds since it was renewed."""

    def __str__(self) -> str:
        return (
            f"process {self.pid} on {self.host}, which was alive {max(self.age, 0):.0f} s ago; if "
            f"it is gone, type rm {shlex.quote(str(self.path))}"
        )


class Claim:
    """A claim of this process, renewed until ``release`` or until the process ends."""

    def __init__(self, lock: Path, share_with_machine: bool = False) -> None:
        """Raises LockedError where there is another live claim on ``lock``; with
        ``share_with_machine`` those of processes on this machine do not count."""
        self._lock = lock
        others = self._put_up(share_with_machine)
        for _ in range(TRIES - 1):
            if not others:
                break
            time.sleep(random.uniform(0.02, 0.2))
            others = self._put_up(share_with_machine)
        if others:
            raise LockedError(str(others[0]))
        self._released = threading.Event()
        threading.Thread(target=self._renew, name="claim", daemon=True).start()

    def _put_up(self, share_with_machine: bool) -> list[Claimant]:
        """The other claims that count; where there are some, ours is taken back."""
        name = f"{self._lock.name}.{machine()}.{os.getpid()}.{os.urandom(4).hex()}"
        self._path = self._lock.with_name(name)
        self._path.touch(exist_ok=False)
        others = [
            one for one in self._others() if not (share_with_machine and one.machine == machine())
        ]
        if others:
            self._path.unlink(missing_ok=True)
        return others

    def _others(self) -> Iterator[Claimant]:
        """Other live claims; dead ones are removed."""
        # The clock that counts is that of the file system.
        now = self._path.stat().st_mtime
        for path in sorted(self._lock.parent.glob(f"{self._lock.name}.*")):
            claim = CLAIM.fullmatch(path.name.removeprefix(self._lock.name))
            if claim is None or path == self._path:
                continue
            with suppress(FileNotFoundError):  # taken back in the meantime
                age = now - path.stat().st_mtime
                if is_dead(claim["machine"], int(claim["pid"]), age):
                    path.unlink()
                    continue
                yield Claimant(
                    path=path,
                    machine=claim["machine"],
                    host=claim["host"],
                    pid=int(claim["pid"]),
                    age=age,
                )

    def _renew(self) -> None:
        while not self._released.wait(RENEWED_EVERY):
            try:
                os.utime(self._path)
            except FileNotFoundError:  # released, or removed as dead: it stays away
                return
            except OSError:  # the network is down for a moment
                continue

    def release(self) -> None:
        """Take the claim back."""
        self._released.set()
        self._path.unlink(missing_ok=True)


def is_dead(claimed_on: str, pid: int, age: float) -> bool:
    """Whether the process of a claim has ended, as far as it can be known from here."""
    if claimed_on != machine():
        return age > DEAD_AFTER
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:  # of another user
        return False
    return False


@cache
def machine() -> str:
    """``<host>-<8 hex digits>``: equal for processes that know each other by their ids. Hosts may
    have one name, and processes in containers of one host may have one id."""
    parts = [socket.gethostname()]
    with suppress(OSError):  # not Linux
        parts.append(Path("/proc/sys/kernel/random/boot_id").read_text())
        parts.append(os.readlink("/proc/self/ns/pid"))
    digest = hashlib.blake2b("\n".join(parts).encode(), digest_size=4)
    return f"{parts[0].replace('/', '-')}-{digest.hexdigest()}"
