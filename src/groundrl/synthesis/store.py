"""What was found out about images, kept by content in one SQLite file."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Final

from groundrl.errors import UserError
from groundrl.synthesis.annotate import Key, Results

APPLICATION: Final = 0x67726C31
"""Tells our files from others'."""
WAIT: Final = 120.0
"""Seconds for which another run may hold the file."""


class Store:
    """Results by image, stage, name and inputs; the first one of each stays.

    Several processes may share a file. One that is killed loses what it had not kept yet, never
    more (write-ahead log). Raises UserError for a foreign or damaged file and for a full disk.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        with self._telling():
            self._connection = sqlite3.connect(path, timeout=WAIT, isolation_level=None)
            self._open()

    def _open(self) -> None:
        run = self._connection.execute
        (mine,), (tables,) = (
            run("PRAGMA application_id").fetchone(),
            run("SELECT count(*) FROM sqlite_master").fetchone(),
        )
        if mine != APPLICATION and (mine or tables):
            raise UserError(
                f"{self.path} is a database of something else: move it away, or type "
                "cache_dir=<another folder>"
            )
        run("PRAGMA journal_mode=WAL")
        run("PRAGMA synchronous=NORMAL")
        run(f"PRAGMA application_id={APPLICATION}")
        run(
            "CREATE TABLE IF NOT EXISTS results (picture TEXT, stage TEXT, name TEXT, inputs TEXT, "
            "value TEXT, PRIMARY KEY (picture, stage, name, inputs)) WITHOUT ROWID"
        )

    def known(self, image: str) -> Results:
        """Everything that was kept about an image, by its digest."""
        query = "SELECT stage, name, inputs, value FROM results WHERE picture = ?"
        with self._telling():
            rows = self._connection.execute(query, [image]).fetchall()
        return {Key(*key): json.loads(value) for *key, value in rows}

    def keep(self, image: str, results: Results) -> None:
        """All of them, or none."""
        rows = [(image, *key, json.dumps(value)) for key, value in results.items()]
        if not rows:
            return
        with self._telling():
            run = self._connection.execute
            run("BEGIN IMMEDIATE")
            try:
                self._connection.executemany(
                    "INSERT OR IGNORE INTO results VALUES (?, ?, ?, ?, ?)", rows
                )
                run("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    run("ROLLBACK")
                raise

    @contextmanager
    def _telling(self) -> Iterator[None]:
        """What SQLite says, as something that a user can mend."""
        try:
            yield
        except sqlite3.Error as error:
            code = getattr(error, "sqlite_errorcode", 0) & 0xFF
            if code in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR):
                raise UserError(
                    f"no space left on the disk ({self.path}): free some and type the same "
                    "command again; what is finished is kept"
                ) from error
            if code in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT):
                raise UserError(
                    f"{self.path} is damaged or no database ({error}): delete it, or type "
                    "cache_dir=<another folder>"
                ) from error
            if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN):
                raise UserError(
                    f"{self.path} cannot be written to ({error}): type cache_dir=<another folder>"
                ) from error
            raise

    def close(self) -> None:
        """Nothing is lost without it."""
        self._connection.close()

    def __enter__(self) -> "Store":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
