"""Connections between the processes of a run: where one of them ends too early, all end at once,
with one message.

The operating system closes the connections of a process that dies, however it dies; a process that
waits for it in an exchange of tensors would find out later, or never.
"""

import json
import os
import secrets
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from signal import SIGINT
from typing import Any, Final

from groundrl.errors import UserError
from groundrl.running.stopping import Stopped

CONNECT_SECONDS: Final = 60.0
VERDICT_SECONDS: Final = 3.0
"""In which a failed exchange turns out to be the death of a process."""
STOP_SECONDS: Final = 5.0
"""In which the first process stops, too, where a signal stops all."""

Gather = Callable[[Any], list[Any]]
"""The value of each process, by rank."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """What a process says before it leaves."""

    status: int
    """Of its exit; 0: it is done."""
    message: str = ""
    """What the first process writes for it."""


class Lifeline:
    """The first process is connected to each of the others, and speaks for all."""

    def __init__(self, rank: int, count: int, peers: Mapping[int, socket.socket], advice: str):
        """``peers``: connections by rank. ``advice``: ends the message about a dead process."""
        self.rank = rank
        self._count = count
        self._peers = peers
        self._advice = advice
        self._left = False
        self._speaking = threading.Lock()
        for number, peer in peers.items():
            threading.Thread(target=self._watch, args=(number, peer), daemon=True).start()

    def leave(self, ending: Ending) -> None:
        """Say how this process ends; does not return where the first process ends it.

        Of the first process the others do not repeat the message.
        """
        if self.rank and ending.status:
            self._tell(ending)
            time.sleep(STOP_SECONDS)
        with self._speaking:
            self._left = True
            self._tell(Ending(status=ending.status))

    def _watch(self, number: int, peer: socket.socket) -> None:
        ending = receive(peer)
        with self._speaking:  # until the end of the process: one thread speaks
            if self._left or (ending is not None and not ending.status):
                return
            if self.rank:
                self._follow(ending)
            if ending is None:
                ending = Ending(status=1, message=self._death_of(number))
            self._tell(ending)
            if ending.message:
                write_message(ending.message)
            os._exit(ending.status)

    def _follow(self, ending: Ending | None) -> None:
        """End because the first process has, or is about to."""
        if ending is not None:
            os._exit(0)  # the status is that of the first process
        if self.rank == 1:
            write_message(self._death_of(0))
        os._exit(1)

    def _death_of(self, number: int) -> str:
        return (
            f"process {number} of {self._count} (counted from 0) is gone: killed, out of memory, "
            f"or ended by an error that is shown above. The others have ended, too. {self._advice}"
        )

    def _tell(self, ending: Ending) -> None:
        line = json.dumps(asdict(ending)).encode() + b"\n"
        for peer in self._peers.values():
            try:
                peer.sendall(line)
            except OSError:  # it is gone already
                continue


@contextmanager
def lifeline(rank: int, count: int, gather: Gather, advice: str) -> Iterator[None]:
    """Inside, this process ends where another one does, and another one where it does.

    ``gather`` connects all ``count`` processes already. ``advice``: ends the message about a dead
    process: how to go on.
    """
    peers = connect(rank, count, gather)
    # The folder of the run is that of the first process.
    line = Lifeline(rank, count, peers, gather(advice)[0])
    try:
        yield
    except UserError as error:
        line.leave(Ending(status=2, message=str(error)))
        raise
    except KeyboardInterrupt as stopped:
        number = stopped.number if isinstance(stopped, Stopped) else SIGINT
        if rank:
            time.sleep(STOP_SECONDS)
        line.leave(Ending(status=128 + number, message=str(stopped) or "interrupted"))
        raise
    except BaseException as error:
        if isinstance(error, RuntimeError):  # perhaps an exchange with a process that is gone
            time.sleep(VERDICT_SECONDS)
        if not rank:  # of another process the traceback is the message, and its end the signal
            line.leave(Ending(status=1))
        raise
    line.leave(Ending(status=0))


def connect(rank: int, count: int, gather: Gather) -> dict[int, socket.socket]:
    """Connections of the first process to each of the others, by rank."""
    if rank:
        port, secret = gather(None)[0]
        address = os.environ["MASTER_ADDR"], port
        peer = socket.create_connection(address, timeout=CONNECT_SECONDS)
        peer.settimeout(None)
        peer.sendall(f"{secret} {rank}\n".encode())
        return {0: peer}
    secret = secrets.token_hex(16)
    found: dict[int, socket.socket] = {}
    with socket.create_server(("", 0), backlog=count) as server:
        server.settimeout(CONNECT_SECONDS)
        gather((server.getsockname()[1], secret))
        while len(found) < count - 1:
            peer, _ = server.accept()
            peer.settimeout(CONNECT_SECONDS)
            word, _, number = read_line(peer).partition(" ")
            if word == secret:
                peer.settimeout(None)
                found[int(number)] = peer
            else:
                peer.close()
    return found


def receive(peer: socket.socket) -> Ending | None:
    """What the other process says at its end; None where it dies."""
    line = read_line(peer)
    return Ending(**json.loads(line)) if line else None


def read_line(peer: socket.socket) -> str:
    """A whole line, without its end; empty where the connection breaks first."""
    read = b""
    while not read.endswith(b"\n"):
        try:
            part = peer.recv(1)  # what follows the line is for the next call
        except OSError:  # it is gone, or says nothing
            part = b""
        if not part:
            return ""
        read += part
    return read.decode().rstrip("\n")


def write_message(message: str) -> None:
    """To standard error, at once."""
    os.write(2, f"\n{message}\n".encode())
