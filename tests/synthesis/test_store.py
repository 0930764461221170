"""What is kept is there again, for whoever asks, and a bad file is one message."""

import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from groundrl.errors import UserError
from groundrl.synthesis.annotate import Key
from groundrl.synthesis.store import Store

KEY = Key("caption", "teacher", "abc")


def test_results_are_known_again_and_the_first_stays(tmp_path: Path) -> None:
    with Store(tmp_path / "s.sqlite") as store:
        store.keep("p", {KEY: {"text": "a \udcff"}, Key("detect", "d", "x"): []})
        store.keep("p", {KEY: "later"})
        store.keep("q", {})
    with Store(tmp_path / "s.sqlite") as store:
        assert store.known("p") == {KEY: {"text": "a \udcff"}, Key("detect", "d", "x"): []}
        assert store.known("q") == {}


WRITER = """
import sys
from pathlib import Path
from groundrl.synthesis.annotate import Key
from groundrl.synthesis.store import Store
with Store(Path(sys.argv[1])) as store:
    for i in range(200):
        store.keep(f"p{i}", {Key("s", sys.argv[2], str(j)): j for j in range(3)})
"""


def test_several_runs_share_a_file(tmp_path: Path) -> None:
    file = tmp_path / "s.sqlite"
    runs = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(file), name]) for name in ("a", "b")
    ]
    assert [run.wait() for run in runs] == [0, 0]
    with Store(file) as store:
        assert all(len(store.known(f"p{i}")) == 6 for i in range(200))


def test_a_file_that_is_none_of_ours_is_told(tmp_path: Path) -> None:
    text = tmp_path / "text.sqlite"
    text.write_text("something else entirely\n" * 100)
    with pytest.raises(UserError, match=r"text\.sqlite is damaged or no database"):
        Store(text)
    foreign = tmp_path / "foreign.sqlite"
    with sqlite3.connect(foreign) as connection:
        connection.execute("CREATE TABLE precious (a)")
    connection.close()
    with pytest.raises(UserError, match=r"foreign\.sqlite is a database of something else"):
        Store(foreign)
    assert b"precious" in foreign.read_bytes()


def test_a_damaged_file_is_told(tmp_path: Path) -> None:
    file = tmp_path / "s.sqlite"
    with Store(file) as store:
        for i in range(300):
            store.keep(f"p{i}", {KEY: "x" * 500})
    content = bytearray(file.read_bytes())
    content[4096:] = b"\xff" * (len(content) - 4096)
    file.write_bytes(bytes(content))

    def read_all() -> None:
        with Store(file) as store:
            for i in range(300):
                store.known(f"p{i}")

    with pytest.raises(UserError, match=r"s\.sqlite is damaged .* delete it"):
        read_all()


def test_a_full_disk_is_told_and_costs_nothing_that_was_kept(small_disk: Path) -> None:
    file, kept = small_disk / "s.sqlite", 0
    (small_disk / "someone_elses").write_bytes(bytes(200_000))
    with Store(file) as store:
        with pytest.raises(UserError, match="no space left on the disk") as told:  # noqa: PT012
            for kept in range(100_000):
                store.keep(f"p{kept}", {KEY: "x" * 4000})
        assert "\n" not in str(told.value)
        assert kept > 10
    (small_disk / "someone_elses").unlink()
    with Store(file) as store:
        assert all(store.known(f"p{i}") == {KEY: "x" * 4000} for i in range(kept))
        assert store.known(f"p{kept}") == {}
