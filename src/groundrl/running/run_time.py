"""The wall time of the parts of a run, over all its pieces: those that were killed count, too."""

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from groundrl.files import read_json, write_json
from groundrl.running.launched import process_number

TIMES: Final = "seconds.json"
"""In the directory of a run; of a training run, among its checkpoints."""
WRITTEN_EVERY: Final = 10.0
"""Seconds; a killed process loses so many at most."""


class RunTime:
    """Seconds by part, kept in a file from which a run that is started again goes on counting."""

    def __init__(self, path: Path) -> None:
        """``path``: only the first of several processes writes it."""
        self.path = path
        self.seconds: dict[str, float] = read_json(path) if path.exists() else {}
        self._lock = threading.Lock()

    def know(self, seconds: Mapping[str, float]) -> None:
        """Figures from elsewhere of the same run; the larger one of a part counts."""
        for part, value in seconds.items():
            self.seconds[part] = max(value, self.seconds.get(part, 0.0))

    @contextmanager
    def measure(self, part: str) -> Iterator[None]:
        """Add the wall time of the block to ``part``; what was measured is written meanwhile."""
        before, start, ended = self.seconds.get(part, 0.0), time.perf_counter(), threading.Event()

        def keep() -> None:
            with self._lock:
                self.seconds[part] = before + time.perf_counter() - start
                if process_number() == 0:
                    write_json(self.path, self.seconds)

        def keep_until_it_ends() -> None:
            while not ended.wait(WRITTEN_EVERY):
                with suppress(OSError):  # told by what else the run writes
                    keep()

        writer = threading.Thread(target=keep_until_it_ends, name="run time", daemon=True)
        writer.start()
        try:
            yield
        finally:  # also when interrupted
            ended.set()
            writer.join()
            keep()
