"""Each campaign in small finds nothing, and each could find something."""

import os
import random
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from campaigns.cases import plain, read_cases, to_page
from campaigns.fuzz import GROWTH, Attack, growth_of, shares
from campaigns.jobs import differences
from campaigns.mutations import MUTATIONS, draw, mutate
from campaigns.soak import flat
from campaigns.table import Case, report
from groundrl.errors import UserError

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("kill", ["--size", "3", "--only", "grpo"]),
        ("fuzz", ["--size", "8"]),
        ("faults", ["--size", "2", "--only", "disk-train", "chat-server"]),
        ("soak", ["--size", "40"]),
    ],
)
def test_a_campaign_in_small_finds_nothing(name: str, arguments: list[str]) -> None:
    if name == "faults" and shutil.which("cc") is None:
        arguments = ["--only", "chat-server"]
    paths = ":".join(str(ROOT / folder) for folder in ("src", "tests", "tests/helpers"))
    done = subprocess.run(
        [sys.executable, "-m", f"campaigns.{name}", *arguments],
        cwd=ROOT,
        env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": paths},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_campaign_with_a_failure_or_without_cases_fails(
    capsys: pytest.CaptureFixture[str],
) -> None:
    well = Case.of("a", "nothing", [])
    assert report([well]) == 0
    assert report([well, Case.of("b", "nothing", ["a traceback"])]) == 1
    table = capsys.readouterr().out
    assert "a traceback" in table
    assert "2 cases, 1 failed" in table
    assert report([]) == 1


def test_the_page_of_cases_holds_what_was_run_and_nothing_else(tmp_path: Path) -> None:
    report([Case.of("a <obj>|*b*", "none", [])], "kill --size 1", tmp_path / "kill.jsonl")
    (tmp_path / "tests.xml").write_text(
        '<testsuites><testsuite><testcase classname="tests.test_a" name="test_it_is_told[x]"/>'
        '<testcase classname="tests.test_a" name="test_b"><failure message="odd"/></testcase>'
        '<testcase classname="tests.test_a" name="test_c"><skipped/></testcase></testsuite>'
        "</testsuites>"
    )
    page = to_page(list(read_cases(tmp_path)))
    assert "3 cases, 1 not as promised." in page
    assert "| 1 | `python -m campaigns.kill --size 1` | 1 | 0 |" in page
    assert "| 2 | `make campaign-tests` | 2 | 1 |" in page
    assert "| 1 | a \\<obj\\>\\|\\*b\\* | none | as expected |" in page
    assert "| 2 | test\\_a (x) | it is told | as expected |" in page
    assert "| 2 | test\\_a | b | odd |" in page


def test_a_cell_is_short_and_names_no_folder_of_this_machine() -> None:
    told = plain(f'File "{sys.prefix}/a.py"\n in {ROOT / "src"} ' + "x" * 999 + " KeyError")
    assert told.startswith('File ".venv/a.py" in ./src')
    assert told.endswith("KeyError")
    assert len(told) < 200


def test_results_that_differ_are_named() -> None:
    expected = dict.fromkeys("abcdef", "1")
    assert differences(expected, dict(expected)) == []
    found = {"a": "1", "b": "2", "c": "2", "d": "2", "g": "1"}
    told = differences(expected, found)
    assert told == ["b is not the same", "c is not the same", "d is not the same", "and 3 more"]
    assert differences({"a": "1"}, {"b": "1"}) == ["a is missing", "b is new"]


@pytest.mark.parametrize("name", MUTATIONS)
def test_a_mutation_changes_any_content_in_the_same_way_each_time(name: str) -> None:
    contents = (b"a", b"\xff1\x00\n", b'{"a": [1, {"b": "c"}]}', b'{"a": 1}\n\n[2]\n', b"1 2\n3 4")
    spots = [(where / 7, which) for where in range(7) for which in (3, 7)]
    for content in contents:
        found, again = ([mutate(content, [(name, *spot)]) for spot in spots] for _ in range(2))
        assert found == again
        assert {*found} - {content}


def test_fuzzing_tells_an_exception_that_is_no_user_error() -> None:
    def refuse(mutations: object) -> None:
        raise UserError("no such file")

    def crash(mutations: list[tuple[str, float, int]]) -> None:
        raise KeyError("boxes")

    good, bad = Attack(refuse, ()), Attack(crash, ())
    good.run("cut", 5, random.Random(0))
    bad.run("cut", 5, random.Random(0))
    assert (good.tried, good.problems) == (5, [])
    (told,) = bad.problems
    assert "KeyError" in told
    assert told.count("(") == 1, "one mutation is enough"
    allowed = Attack(crash, (KeyError,))
    allowed.run("cut", 5, random.Random(0))
    assert not allowed.problems


def test_each_kind_of_damage_comes_first_equally_often() -> None:
    assert sum(shares(300).values()) == 300
    assert {*shares(800).values()} == {100}
    assert [*shares(2)] == [*MUTATIONS][:2]
    draws = random.Random(0)
    drawn = [draw("flip", draws) for _ in range(100)]
    assert {len(one) for one in drawn} == {1, 2, 3}
    assert {one[0][0] for one in drawn} == {"flip"}
    assert {kind for one in drawn for kind, _, _ in one[1:]} == {*MUTATIONS}


@pytest.mark.slow
def test_a_quadratic_reader_is_found() -> None:
    def compare_all(text: str) -> int:
        return sum(text[: i : 1 + len(text) // 20].count("a") for i in range(len(text)))

    def search_each(text: str) -> int:
        return sum(text.find("b", i) for i in range(len(text)))

    assert growth_of(search_each, "a")[0] > GROWTH
    assert growth_of(len, "a")[0] == 0.0
    assert growth_of(compare_all, "a")[0] <= GROWTH


@pytest.mark.parametrize(
    ("value", "failed"),
    [(lambda i: 100.0, False), (lambda i: 100.0 + i % 7, False), (lambda i: 100.0 + i / 5, True)],
)
def test_what_grows_is_told_from_what_moves(value: Callable[[int], float], failed: bool) -> None:
    assert flat("memory", [value(i) for i in range(200)], 0.03).failed == failed
