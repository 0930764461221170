"""Several servers that share requests: which one gets the next, and what becomes of one that
fails."""

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Final, TypeVar

from groundrl.errors import UserError
from groundrl.rollout.servers.answers import InvalidAnswer
from groundrl.rollout.servers.client import VLLMClient
from groundrl.rollout.servers.connection import START_COMMAND, ServerUnavailable

T = TypeVar("T")

logger = logging.getLogger(__name__)

TRIES: Final = 3
"""Failures in a row after which a server is given up; requests for one prompt to one server."""
FIRST_PAUSE = 0.5
"""Seconds before the first health check of a server that failed; it doubles each time."""
LONGEST_PAUSE: Final = 30.0


class State(Enum):
    """Of a server."""

    READY = auto()
    RESTING = auto()
    """It failed, and its health is being checked."""
    AWAY = auto()
    """It is not healthy; every rollout checks once whether it is again."""
    GIVEN_UP = auto()
    """It is healthy and fails all the same."""


@dataclass(slots=True, kw_only=True, eq=False)
class Member:
    """A server of a pool, as far as the pool knows."""

    client: VLLMClient
    free: int
    """Requests that it may still get."""
    state: State = State.READY
    failures: int = 0
    """In a row, of different requests. Of those that were under way together, one counts."""
    failed_request: object = None
    """The last one that counts."""
    failure: str = ""
    """The last one."""
    told: set[type] = field(default_factory=set)
    """Kinds of failures that were logged."""


class Unanswered(Exception):
    """No server has a usable answer to one request; the message says what each had."""


class ServerPool:
    """Servers for many threads. A request goes to the server with the fewest requests; one that
    fails goes to another server, and the server that failed gets none until it is healthy."""

    def __init__(self, clients: Sequence[VLLMClient], concurrency: int, retries: int) -> None:
        """``concurrency``: requests at a time to one server; ``retries``: health checks until one
        that failed is away."""
        self.members = [Member(client=client, free=concurrency) for client in clients]
        self.retries = retries
        self._changed = threading.Condition()
        self._counts: Counter[str] = Counter()

    def ask(self, request: Callable[[VLLMClient], T], cancelled: threading.Event) -> T:
        """What ``request`` returns for one of the servers.

        Raises Unanswered when each has failed ``TRIES`` times, UserError when no server is left,
        CancelledError once ``cancelled`` is set and no server has the request.
        """
        tries: Counter[Member] = Counter()
        while True:
            member = self._take(tries, cancelled)
            failures = member.failures
            try:
                result = request(member.client)
            except (ServerUnavailable, InvalidAnswer) as error:
                tries[member] += 1
                self._note_failure(member, failures, tries, error)
            else:
                member.failures = 0
                return result
            finally:
                with self._changed:
                    member.free += 1
                    self._changed.notify_all()

    def look_again(self) -> None:
        """Find out, without waiting for it, whether servers that were away are back."""
        with self._changed:
            for member in self.members:
                if member.state is State.AWAY:
                    self._check_health(member, checks=1)

    def cancel(self, cancelled: threading.Event) -> None:
        """Set the event and wake the requests that wait for a server."""
        with self._changed:
            cancelled.set()
            self._changed.notify_all()

    def take_counts(self) -> dict[str, float]:
        """Failures since the last call, by the names of ``ROLLOUT_METRICS``."""
        with self._changed:
            counts, self._counts = self._counts, Counter()
        return {f"rollout/{name}": float(counts[name]) for name in ("failed", "invalid")}

    def _take(self, tries: Counter[Member], cancelled: threading.Event) -> Member:
        """A server that is ready and has failed this request the least; waits for one."""
        with self._changed:
            while not cancelled.is_set():
                left = [one for one in self.members if one.state in (State.READY, State.RESTING)]
                if not left:
                    raise UserError(
                        f"no vLLM server is left ({self._failures()}): start one with "
                        f"{START_COMMAND}, and go on with resume=<run directory>, and "
                        "rollout.urls=[...] where it has another address"
                    )
                fresh = [one for one in left if tries[one] < TRIES]
                if not fresh:
                    raise Unanswered(self._failures())
                ready = [one for one in fresh if one.state is State.READY and one.free]
                if ready:
                    member = min(ready, key=lambda one: (tries[one], -one.free))
                    member.free -= 1
                    return member
                self._changed.wait()
        raise CancelledError

    def _failures(self) -> str:
        return "; ".join(f"{one.client.url}: {one.failure}" for one in self.members if one.failure)

    def _note_failure(
        self, member: Member, failures: int, request: object, error: Exception
    ) -> None:
        """``failures``: those in a row when the request was sent."""
        with self._changed:
            self._counts["invalid" if isinstance(error, InvalidAnswer) else "failed"] += 1
            if type(error) not in member.told:
                member.told.add(type(error))
                logger.warning(
                    "%s: %s (asked again; from now on such failures are counted only, in "
                    "rollout/failed and rollout/invalid)",
                    *(member.client.url, error),
                )
            member.failure = str(error)
            if member.failures == failures and member.failed_request is not request:
                member.failures += 1
                member.failed_request = request
            if member.failures >= TRIES and member.state is not State.GIVEN_UP:
                member.state = State.GIVEN_UP
                logger.warning("%s is given up, after %d failures in a row: %s", *_said(member))
            elif isinstance(error, ServerUnavailable) and member.state is State.READY:
                self._check_health(member, self.retries)

    def _check_health(self, member: Member, checks: int) -> None:
        before, member.state = member.state, State.RESTING
        threading.Thread(
            target=self._wait_until_healthy, args=(member, checks, before), daemon=True
        ).start()

    def _wait_until_healthy(self, member: Member, checks: int, before: State) -> None:
        """Check a server's health with growing pauses; after ``checks`` it is away."""
        state = State.AWAY
        for attempt in range(checks):
            time.sleep(min(FIRST_PAUSE * 2**attempt, LONGEST_PAUSE))
            if member.client.is_healthy():
                state = State.READY
                break
        with self._changed:
            if member.state is State.RESTING:
                if (before, state) == (State.READY, State.AWAY):
                    logger.warning(
                        "%s is left out until it is back: %s", member.client.url, member.failure
                    )
                elif (before, state) == (State.AWAY, State.READY):
                    logger.info("%s is back", member.client.url)
                member.state = state
                member.failures = 0 if state is State.AWAY else member.failures
            self._changed.notify_all()


def _said(member: Member) -> tuple[str, int, str]:
    return member.client.url, member.failures, member.failure
