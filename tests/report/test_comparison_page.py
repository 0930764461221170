"""The page that compares runs, also in a real browser."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from browser_session import start_browser
from browsing import CHROMIUM, read
from compared_runs import answer, write_evaluation, write_rights, write_run
from torch.utils.tensorboard.writer import SummaryWriter

from groundrl.report.comparison import questions
from groundrl.report.comparison.command import main
from groundrl.report.comparison.page import write_comparison


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Two settings of a sweep, with curves; run a/seed=1 is not finished."""
    sweep = tmp_path / "sweep"
    for name, grpo in (("a/seed=0", [True] * 30), ("b/seed=0", [n < 20 for n in range(30)])):
        run = write_rights(sweep / name, [n % 2 == 0 for n in range(30)], grpo)
        with SummaryWriter(str(run / "tensorboard" / "grpo")) as writer:
            for step in range(30):
                writer.add_scalar("reward/iou", 0.01 * step, step)
                writer.add_scalar("policy/kl", 0.1, step)
    (sweep / "a" / "seed=1").mkdir()
    return sweep


def content(page: Path, name: str = "content") -> Any:
    found = re.search(rf'id="{name}">(.*?)</script>', page.read_text(), re.DOTALL)
    assert found
    return json.loads(found[1])


def test_the_command_prints_tables_and_the_path(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "out" / "page.html"
    assert main([str(root), "--page", str(page)]) == 0
    printed = capsys.readouterr().out
    assert re.search(r"tabletop/acc +1\.000 ± 0\.100 +0\.667 ± 0\.100", printed)
    assert re.search(r"tabletop/correct +a +b +-0\.333 \[.+ 1\.000 +0\.667", printed)
    assert f"left out: {root}/a/seed=1, unfinished" in printed
    assert printed.splitlines()[-1] == str(page)
    assert main([str(tmp_path / "nothing")]) == 2
    assert "Type python -m groundrl.report" in capsys.readouterr().err


def test_the_page_has_every_part_and_fetches_nothing(root: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    write_comparison([str(root)], page)
    parsed = read(page)
    assert parsed.headings == [
        "Runs compared",
        "Results",
        "Tests by question",
        "Curves",
        "Held-out questions",
    ]
    assert parsed.addresses == []
    assert not re.search(r"https?://|@import|url\(", page.read_text())
    assert parsed.counts["figure"] == 1 + 2  # accuracy over stages, two curves
    text = page.read_text()
    assert re.search(r"<details open><summary>grpo · reward<", text)
    assert re.search(r"<details><summary>grpo · policy<", text)
    assert content(page)["columns"] == [
        ["a/seed=0", "start"],
        ["a/seed=0", "grpo"],
        ["b/seed=0", "start"],
        ["b/seed=0", "grpo"],
    ]
    # All questions show one image; it is written once.
    (picture,) = set(content(page, "pictures"))
    assert picture.startswith("data:image/jpeg;base64,")


def test_equal_answers_are_written_once(root: Path, tmp_path: Path) -> None:
    write_comparison([str(root)], tmp_path / "page.html")
    asked = content(tmp_path / "page.html")["questions"]
    first = asked[0]
    assert (len(first["answers"]), first["given"]) == (1, [0, 0, 0, 0])
    assert (len(asked[1]["answers"]), asked[1]["given"]) == (2, [0, 1, 0, 1])
    assert (len(asked[20]["answers"]), asked[20]["given"]) == (2, [0, 0, 0, 1])
    right, iou, parts, boxes = first["answers"][0]
    assert (right, iou) == (True, 0.75)
    assert parts == [[1, "<obj>", "cup", "</obj><bbox>[1, 2, 9, 8]</bbox>"], *parts[1:]]
    assert boxes == [["cup", 15.6, 16.7, 56.2, 66.7]]
    assert first["true"] == [["cup", 6.2, 16.7, 56.2, 66.7]]


def test_of_many_questions_those_that_differ_are_shown(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(questions, "MAX_QUESTIONS", 12)
    page = tmp_path / "page.html"
    write_comparison([str(root)], page)
    shown = [question["id"] for question in content(page)["questions"]]
    assert shown == [f"q{n}" for n in (0, 1, *range(20, 30))]  # b is wrong in the last ten
    assert "The page has 12 of 30" in page.read_text()


def test_what_a_model_writes_stays_text(tmp_path: Path) -> None:
    evil = "</script><script>x()</script>"
    changes = {"question": evil, "id": evil, "kind": evil, "text": evil, "spans_predicted": []}
    one = answer(0, True, **changes, boxes_predicted=[], images=[])
    write_run(tmp_path / "run", {"start": [one], "grpo": [one]})
    page = tmp_path / "page.html"
    write_comparison([str(tmp_path / "run")], page)
    assert read(page).counts["script"] == 3  # two of data, one that runs
    question = content(page)["questions"][0]
    assert question["question"] == evil
    assert question["answers"][0][2][0] == "</script>"
    # Without an image the sheet is as large as the boxes reach.
    assert (question["picture"], question["size"]) == (None, [9, 8])


def test_recorded_answers_are_a_column_of_their_own(tmp_path: Path) -> None:
    answers = [answer(n, n > 0) for n in range(3)]
    mine = write_evaluation(tmp_path / "mine", answers)
    theirs = write_evaluation(tmp_path / "theirs", answers[1:], tabletop__missing=1.0)
    page = tmp_path / "page.html"
    printed = write_comparison([str(mine), str(theirs)], page)
    assert "1 of 3 questions are tested and shown nowhere" in printed
    assert "tabletop/correct  mine" in printed
    assert content(page)["columns"] == [["mine", "result"], ["theirs", "result"]]


CARDS = "[...document.querySelectorAll('.question-card .chips .chip:nth-child(3)')]"
SHOWN = f"{CARDS}.map(one => one.textContent).filter(text => text[0] == 'q').join()"
NAMES = "[...document.querySelectorAll('.card')[0].querySelectorAll('.name')]"
FOUND = "document.querySelector('#found').textContent"


def choose(name: str, value: str) -> str:
    return f"choice('{name}').value = '{value}'; choice('{name}').onchange()"


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="needs the program chromium")
def test_the_browser_filters_and_makes_cards_when_they_are_needed(
    root: Path, tmp_path: Path
) -> None:
    page = tmp_path / "page.html"
    write_comparison([str(root)], page)
    with start_browser(tmp_path / "profile") as browser:
        browser.open(page.as_uri())
        browser.wait_for("document.readyState === 'complete'")
        cards = "document.querySelectorAll('.question-card').length"
        assert browser.value(FOUND) == "30 of 30 questions"
        assert 12 <= browser.value(cards) < 30
        browser.value("document.querySelector('#end').scrollIntoView()")
        browser.wait_for(f"{cards} > 12")
        names = f"{NAMES}.map(one => one.textContent).join()"
        assert browser.value(names) == "a/seed=0 · grpo,b/seed=0 · grpo"
        # Columns are a start, a grpo, b start, b grpo: a right where b is wrong.
        browser.value(choose("right", "1"))
        browser.value(choose("wrong", "3"))
        assert browser.value(FOUND) == "10 of 30 questions"
        assert browser.value(SHOWN) == ",".join(f"q{n}" for n in range(20, 30))
        browser.value(choose("wrong", "0"))
        assert browser.value(FOUND) == "15 of 30 questions"
        browser.value(choose("view", "chosen"))
        assert browser.value(names) == "a/seed=0 · grpo,a/seed=0 · start"
        browser.value(choose("view", "run b/seed=0"))
        assert browser.value(names) == "b/seed=0 · start,b/seed=0 · grpo"
        verdicts = "[...document.querySelectorAll('.card')[0].querySelectorAll('.below')]"
        first = f"{verdicts}.map(one => one.querySelector('.chip').textContent).join()"
        assert browser.value(first) == "wrong,right"  # question 1
        browser.value("choice('words').value = 'q29'; choice('words').oninput()")
        assert browser.value(FOUND) == "1 of 30 questions"
        # A phrase lights up with the box of its own answer only.
        browser.value(
            "document.querySelector('.phrase').dispatchEvent("
            "new PointerEvent('pointerover', {bubbles: true}))"
        )
        assert browser.value("document.querySelectorAll('.box.highlighted').length") == 1
