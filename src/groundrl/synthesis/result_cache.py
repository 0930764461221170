"""Cache of results by image content, in one SQLite file."""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from groundrl.errors import UserError, is_disk_full
from groundrl.running.locks import Claim, LockedError, lock_of
from groundrl.synthesis.annotate import ResultKey, Results
from groundrl.synthesis.codec import Stage, decode_result, encode_result

APPLICATION_ID: Final = 0x67726C31
"""SQLite's ``application_id`` of our files."""
LOCK_TIMEOUT: Final = 120.0
"""Seconds to wait while another run writes to the file."""
NO_LOCKS: Final = (
    sqlite3.SQLITE_PROTOCOL,
    sqlite3.SQLITE_IOERR_LOCK,
    sqlite3.SQLITE_IOERR_RDLOCK,
    sqlite3.SQLITE_IOERR_UNLOCK,
    sqlite3.SQLITE_IOERR_CHECKRESERVEDLOCK,
    sqlite3.SQLITE_IOERR_SHMOPEN,
    sqlite3.SQLITE_IOERR_SHMLOCK,
    sqlite3.SQLITE_IOERR_SHMMAP,
)
"""Errors of a file system that lacks locks, or memory that processes share."""


class ResultCache:
    """Results by image, stage, component name and inputs; a stored result is never replaced.

    Several processes of one machine may share a file; SQLite's write-ahead log, because of which a
    killed process loses only what it had not saved yet, is not for several machines. Every method
    raises UserError for a foreign or damaged file and for a full disk.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        with self._explain_errors(), ExitStack() as on_error:
            self._claim = Claim(lock_of(path), share_with_machine=True)
            on_error.callback(self._claim.release)
            self._connection = sqlite3.connect(path, timeout=LOCK_TIMEOUT, isolation_level=None)
            on_error.callback(self._connection.close)
            self._create_table()
            on_error.pop_all()

    def _create_table(self) -> None:
        run = self._connection.execute
        with self._transaction():
            (application_id,) = run("PRAGMA application_id").fetchone()
            (tables,) = run("SELECT count(*) FROM sqlite_master").fetchone()
            if application_id != APPLICATION_ID and (application_id or tables):
                raise UserError(
                    f"{self.path} is a database of something else: move it away, or type "
                    "cache_dir=<another folder>"
                )
            run(f"PRAGMA application_id={APPLICATION_ID}")
            run(
                "CREATE TABLE IF NOT EXISTS results (picture TEXT, stage TEXT, name TEXT, "
                "inputs TEXT, value TEXT, PRIMARY KEY (picture, stage, name, inputs)) WITHOUT ROWID"
            )
        self._write_ahead()
        run("PRAGMA synchronous=NORMAL")

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """All of the block is written, or nothing of it; no other run writes meanwhile."""
        run = self._connection.execute
        run("BEGIN IMMEDIATE")
        try:
            yield
            run("COMMIT")
        except BaseException:
            if self._connection.in_transaction:
                run("ROLLBACK")
            raise

    def _write_ahead(self) -> None:
        """Switch to the write-ahead log. SQLite does not wait by itself for a lock here, where
        several runs may have opened a new file at once."""
        until = time.monotonic() + LOCK_TIMEOUT
        while True:
            try:
                self._connection.execute("PRAGMA journal_mode=WAL")
                return
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                    raise
                time.sleep(0.01)

    def load(self, digest: str) -> Results:
        """All results of the image with this digest."""
        query = "SELECT stage, name, inputs, value FROM results WHERE picture = ?"
        with self._explain_errors():
            rows = self._connection.execute(query, [digest]).fetchall()
        try:
            return {
                ResultKey(Stage(stage), name, inputs): decode_result(Stage(stage), value)
                for stage, name, inputs, value in rows
            }
        except ValueError as error:
            raise UserError(
                f"{self.path} holds a result that cannot be read: delete it, or type "
                f"cache_dir=<another folder>\n{error}"
            ) from error

    def save(self, digest: str, results: Results) -> None:
        """Add the results of an image: all of them, or none where it fails."""
        rows = [(digest, *key, encode_result(result)) for key, result in results.items()]
        if not rows:
            return
        with self._explain_errors(), self._transaction():
            self._connection.executemany(
                "INSERT OR IGNORE INTO results VALUES (?, ?, ?, ?, ?)", rows
            )

    @contextmanager
    def _explain_errors(self) -> Iterator[None]:
        """Turns errors that the user can fix into UserError."""
        try:
            yield
        except LockedError as error:
            raise UserError(
                f"{self.path} is in use on another machine, and it is for the runs of one at a "
                f"time: type cache_dir=<a folder of this machine> (it is {error})"
            ) from error
        except OSError as error:  # of the claim
            if is_disk_full(error):
                raise self._disk_full() from error
            raise UserError(
                f"{self.path} cannot be written to ({error.strerror}): type "
                "cache_dir=<another folder>"
            ) from error
        except sqlite3.Error as error:
            extended = getattr(error, "sqlite_errorcode", 0)
            code = extended & 0xFF
            if extended in NO_LOCKS:
                raise UserError(
                    f"{self.path} lies in a folder where SQLite cannot lock it ({error}), as some "
                    "network folders are: type cache_dir=<a folder on a disk of this machine>"
                ) from error
            if code in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR):
                raise self._disk_full() from error
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

    def _disk_full(self) -> UserError:
        return UserError(
            f"no space left on the disk ({self.path}): free some and type the same command again; "
            "what is finished is kept"
        )

    def close(self) -> None:
        """Close the file; saved results are safe without it, too."""
        self._connection.close()
        self._claim.release()
