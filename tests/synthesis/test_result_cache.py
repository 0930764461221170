"""Saved results can be loaded by every run, and a bad file gives one message."""

import sqlite3
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from groundrl.boxes import Box, Frame
from groundrl.detectors.records import Region
from groundrl.errors import UserError
from groundrl.synthesis.annotate import ResultKey
from groundrl.synthesis.annotations import Caption, CaptionError, Decision, ErrorKind, Verdict
from groundrl.synthesis.codec import Stage
from groundrl.synthesis.result_cache import ResultCache

KEY = ResultKey(Stage.CAPTION, "teacher", "abc")
REGION = Region(
    label="cup", box=Box(x1=0.5, y1=1.0, x2=9.0, y2=8.0, frame=Frame.PIXEL), score=0.3, sure=False
)
FLAW = CaptionError(kind=ErrorKind.COUNT, span="two cups")
RESULTS = {
    KEY: Caption(text="two cups \udcff", planted=(FLAW,), tokens=3, cost=0.1),
    ResultKey(Stage.DETECT, "d", "x"): (REGION,),
    ResultKey(Stage.VERIFY, "v", "y"): Verdict(
        decision=Decision.REPAIR, reason="one found", flaw=FLAW, repaired="one cup"
    ),
}


def test_results_are_loaded_as_they_were_saved_and_never_replaced(tmp_path: Path) -> None:
    with closing(ResultCache(tmp_path / "s.sqlite")) as cache:
        cache.save("p", RESULTS)
        cache.save("p", {KEY: Caption(text="later")})
        cache.save("q", {})
    with closing(ResultCache(tmp_path / "s.sqlite")) as cache:
        assert cache.load("p") == RESULTS
        assert cache.load("q") == {}


WRITER = """
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from groundrl.synthesis.annotate import ResultKey
from groundrl.synthesis.annotations import Caption
from groundrl.synthesis.codec import Stage
from groundrl.synthesis.result_cache import ResultCache
with closing(ResultCache(Path(sys.argv[1]))) as cache:
    for i in range(200):
        keys = [ResultKey(Stage.CAPTION, sys.argv[2], str(j)) for j in range(3)]
        cache.save(f"p{i}", {key: Caption(text="a cup") for key in keys})
"""


@pytest.mark.slow
def test_several_runs_share_a_file(tmp_path: Path) -> None:
    file = tmp_path / "s.sqlite"
    runs = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(file), name]) for name in ("a", "b")
    ]
    assert [run.wait() for run in runs] == [0, 0]
    with closing(ResultCache(file)) as cache:
        assert all(len(cache.load(f"p{i}")) == 6 for i in range(200))


def test_a_new_file_may_be_opened_by_several_at_once(tmp_path: Path) -> None:
    def open_at_once(turn: int) -> None:
        everyone_here.wait()
        ResultCache(tmp_path / f"{turn}.sqlite").close()

    everyone_here = threading.Barrier(4, timeout=30)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(open_at_once, [turn for turn in range(50) for _ in range(4)]))


def test_a_file_is_for_the_runs_of_one_machine_at_a_time(tmp_path: Path) -> None:
    file = tmp_path / "s.sqlite"
    elsewhere = tmp_path / ".s.sqlite.lock.other-host-00c0ffee.12.00000000"
    elsewhere.touch()
    message = (
        r"s\.sqlite is in use on another machine, .*: type cache_dir=<a folder of this machine> "
        rf"\(it is process 12 on other-host, .*type rm {elsewhere}\)"
    )
    with pytest.raises(UserError, match=message):
        ResultCache(file)
    assert [*tmp_path.iterdir()] == [elsewhere]
    elsewhere.unlink()
    with closing(ResultCache(file)), closing(ResultCache(file)):
        pass
    assert [*tmp_path.iterdir()] == [file]


def test_a_folder_where_sqlite_has_no_locks_is_named(tmp_path: Path) -> None:
    error = sqlite3.OperationalError("disk I/O error")
    error.sqlite_errorcode = sqlite3.SQLITE_IOERR_LOCK
    message = r"cannot lock it .*cache_dir=<a folder on a disk of"
    with (
        closing(ResultCache(tmp_path / "s.sqlite")) as cache,
        pytest.raises(UserError, match=message),
        cache._explain_errors(),
    ):
        raise error


def test_a_file_of_another_program_is_refused_and_stays(tmp_path: Path) -> None:
    text = tmp_path / "text.sqlite"
    text.write_text("something else entirely\n" * 100)
    with pytest.raises(UserError, match=r"text\.sqlite is damaged or no database"):
        ResultCache(text)
    foreign = tmp_path / "foreign.sqlite"
    with sqlite3.connect(foreign) as connection:
        connection.execute("CREATE TABLE precious (a)")
    connection.close()
    with pytest.raises(UserError, match=r"foreign\.sqlite is a database of something else"):
        ResultCache(foreign)
    assert b"precious" in foreign.read_bytes()


def test_a_damaged_file_is_reported(tmp_path: Path) -> None:
    file = tmp_path / "s.sqlite"
    with closing(ResultCache(file)) as cache:
        for i in range(300):
            cache.save(f"p{i}", {KEY: Caption(text="x" * 500)})
    content = bytearray(file.read_bytes())
    content[4096:] = b"\xff" * (len(content) - 4096)
    file.write_bytes(bytes(content))

    def load_all() -> None:
        with closing(ResultCache(file)) as cache:
            for i in range(300):
                cache.load(f"p{i}")

    with pytest.raises(UserError, match=r"s\.sqlite is damaged .* delete it"):
        load_all()


@pytest.mark.parametrize(
    ("stage", "value", "reason"),
    [
        ("caption", '{"planted": []}', r"text\n.*Field required"),
        ("detect", '[{"label": "cup", "box": [9, 0, 1, 5], "score": 1}]', "x1 <= x2"),
        ("detect", '[{"label": "cup", "box": [9, 0, 1], "score": 1}]', "box"),
        ("verify", '{"decision": "perhaps", "reason": ""}', "'keep', 'repair' or 'reject'"),
        ("caption", "{", "Expecting property name"),
        ("merge", "{}", "'merge' is not a valid Stage"),
    ],
)
def test_a_result_of_another_form_is_reported(
    tmp_path: Path, stage: str, value: str, reason: str
) -> None:
    file = tmp_path / "s.sqlite"
    with closing(ResultCache(file)) as cache:
        with closing(sqlite3.connect(file)) as connection, connection:
            connection.execute("INSERT INTO results VALUES ('p', ?, 't', 'i', ?)", [stage, value])
        with pytest.raises(UserError, match=rf"(?s)cannot be read: delete it.*{reason}"):
            cache.load("p")


def test_a_full_disk_is_reported_and_saved_results_stay(small_disk: Path) -> None:
    file, saved = small_disk / "s.sqlite", 0
    caption = Caption(text="x" * 4000)
    (small_disk / "filler").write_bytes(bytes(200_000))
    with closing(ResultCache(file)) as cache:
        with pytest.raises(UserError, match="no space left on the disk") as raised:  # noqa: PT012
            for saved in range(100_000):
                cache.save(f"p{saved}", {KEY: caption})
        assert "\n" not in str(raised.value)
        assert saved > 10
    (small_disk / "filler").unlink()
    with closing(ResultCache(file)) as cache:
        assert all(cache.load(f"p{i}") == {KEY: caption} for i in range(saved))
        assert cache.load(f"p{saved}") == {}
