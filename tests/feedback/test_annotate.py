"""The command, and its page in a real browser: labelled by keys, killed, resumed, finished."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from browser_session import BrowserSession, start_browser
from browsing import CHROMIUM
from captioned_scenes import TEXTS, label_sentences, make_caption, write_caption_file

from groundrl.feedback.annotate import main, parse_options
from groundrl.feedback.labels import read_captions, write_captions

needs_browser = pytest.mark.skipif(CHROMIUM is None, reason="needs the program chromium")


def test_labels_stand_beside_the_captions_unless_a_file_is_named() -> None:
    options = parse_options(["captions=a/caps.jsonl", "annotator=ann"])
    assert options.labels == Path("a/caps.ann.jsonl")
    assert options.port == 8765
    named = parse_options(["annotator=Zoë-2", "labels=x.jsonl", "captions=caps.jsonl", "port=0"])
    assert (named.labels, named.port) == (Path("x.jsonl"), 0)


GOOD = ["captions=caps.jsonl", "annotator=ann"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "captions= and annotator= must be given\npython -m groundrl.feedback.annotate"),
        (["captions=a.jsonl"], "annotator= must be given"),
        (["caps.jsonl"], "'caps.jsonl' is no option"),
        ([*GOOD, "anotator=ann"], "do you mean annotator=?"),
        ([*GOOD, "annotator=bea"], "annotator= needs one value, once"),
        ([*GOOD, "labels="], "labels= needs one value, once"),
        ([*GOOD, "labels=caps.jsonl"], "are the captions themselves"),
        ([*GOOD, "labels=/"], "is a folder"),
        ([*GOOD, "port=80000"], "port=80000 is no port"),
        ([*GOOD, "port=x"], "port=x is no port"),
        (["captions=caps.jsonl", "annotator=../ann"], "up to 40 letters"),
        (["captions=caps.jsonl", "annotator=a b"], "up to 40 letters"),
        (["captions=caps.jsonl", "annotator=.ann"], "up to 40 letters"),
        (["captions=caps.jsonl", "annotator=ann\n"], "up to 40 letters"),
        (GOOD, "caps.jsonl: no such file"),
    ],
)
def test_a_mistake_in_the_command_is_one_message(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    assert message in capsys.readouterr().err


def test_captions_that_cannot_be_labelled_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "captions.jsonl"
    one = make_caption(0, "A cup.", annotator="x")
    for captions, message in (
        ([make_caption(0, "...")], "no caption has a sentence"),
        ([one, make_caption(0, "A cup.")], "the caption 'c0' stands there more than once"),
    ):
        write_captions(captions, path)
        assert main([f"captions={path}", "annotator=ann", "port=0"]) == 2
        assert message in capsys.readouterr().err
    path.write_text('{"id": "c0"}\nno JSON\n')
    assert main([f"captions={path}", "annotator=ann", "port=0"]) == 2
    shown = capsys.readouterr().err
    assert f"{path} has 2 problems" in shown
    path.write_text("")
    assert main([f"captions={path}", "annotator=ann", "port=0"]) == 2
    assert "no captions" in capsys.readouterr().err


def test_a_folder_that_cannot_be_made_is_one_message(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    captions = write_caption_file(tmp_path)
    labels = captions / "labels.jsonl"
    assert main([f"captions={captions}", "annotator=ann", f"labels={labels}", "port=0"]) == 2
    assert "the labels cannot be saved" in capsys.readouterr().err


@contextmanager
def annotate(captions: Path, port: int = 0) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The command and the address that it prints."""
    command = [sys.executable, "-m", "groundrl.feedback.annotate", f"captions={captions}"]
    process = subprocess.Popen(
        [*command, "annotator=ann", f"port={port}"], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    try:
        yield process, process.stdout.readline().strip()
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


SAVED = "document.getElementById('saved').textContent === 'saved'"


def open_page(browser: BrowserSession, address: str) -> None:
    browser.open(address)
    browser.wait_for("document.querySelectorAll('.sentence.current').length === 1")


def current(browser: BrowserSession) -> str:
    return browser.value("document.querySelector('.current').textContent")


@pytest.mark.slow
@needs_browser
def test_two_captions_are_labelled_by_keys_across_a_kill(tmp_path: Path) -> None:
    captions = write_caption_file(tmp_path)
    labels = tmp_path / "captions.ann.jsonl"
    with start_browser(tmp_path / "profile") as browser:
        with annotate(captions) as (process, address):
            open_page(browser, address)
            assert current(browser) == "There is a red cup 🍵."
            browser.press("1", "2", "s", "Enter", "3", "z", "Enter")  # c0: "ha3 -"
            assert current(browser) == "A street."
            browser.press("2", "0", "5")  # c1: "- c2", and the last one is open
            browser.wait_for(SAVED)
            assert [one.id for one in read_captions(labels)] == ["c0"]
            process.send_signal(signal.SIGKILL)
            process.wait()
            browser.press("4")
            browser.wait_for("document.getElementById('problem').textContent.includes('Not saved')")
            assert browser.value("document.getElementById('saved').textContent") == "not saved"
        with annotate(captions) as (process, address):
            open_page(browser, address)
            assert current(browser) == "It must be Sunday."
            assert browser.value("document.getElementById('sentences-done').textContent") == "4/5"
            browser.press("k", "s", "ArrowDown", "c", "Enter")
            browser.wait_for(SAVED)
            assert browser.value("document.getElementById('captions-done').textContent") == "2/2"
            process.send_signal(signal.SIGINT)
            assert process.wait(timeout=20) == 0
    first, second = read_captions(labels)
    assert first.sentences == label_sentences(TEXTS[0], "ha3 -")
    assert second.sentences is not None
    assert second.sentences[:2] == label_sentences(TEXTS[1], "- c3 -")[:2]
    assert (second.sentences[2].errors, second.sentences[2].creative) == ((), True)
    assert not list(tmp_path.glob(".*.journal"))


PROBE = """(() => {
  const places = () => JSON.stringify([...document.querySelectorAll("button, header > *, #text")]
    .map(one => one.getBoundingClientRect()).map(box => [box.x, box.y, box.width, box.height]));
  const before = places();
  const click = selector => document.querySelector(selector).click();
  click("[data-error=location]"); click("[data-severity='3']"); click("#creative");
  return [before === places(), JSON.stringify(captions[0].labels[0])];
})()"""


@pytest.mark.slow
@needs_browser
def test_the_page_is_used_with_the_mouse_and_nothing_in_it_jumps(tmp_path: Path) -> None:
    captions = write_caption_file(tmp_path)
    with start_browser(tmp_path / "profile") as browser, annotate(captions) as (_, address):
        open_page(browser, address)
        steady, label = browser.value(PROBE)
        assert label == '{"errors":["location"],"severity":3,"creative":true}'
        assert steady
        browser.value("document.querySelectorAll('.sentence')[1].click()")
        assert current(browser) == "It is on a bus."
        browser.value("document.getElementById('no-error').click()")
        browser.press("?")
        assert browser.value("document.getElementById('help').open")
        browser.press("1", "?")
        assert not browser.value("document.getElementById('help').open")
        browser.wait_for(SAVED)
        assert browser.value("document.getElementById('sentences-done').textContent") == "2/5"
        assert browser.value("document.getElementById('share-wrong').textContent") == "50 %"


@pytest.mark.slow
@needs_browser
def test_a_page_that_was_opened_twice_says_so(tmp_path: Path) -> None:
    captions = write_caption_file(tmp_path)
    with start_browser(tmp_path / "profile") as browser, annotate(captions) as (_, address):
        open_page(browser, address)
        with start_browser(tmp_path / "other") as other:
            open_page(other, address)
            browser.press("1")
            browser.wait_for("document.getElementById('problem').textContent.includes('Reload')")
            other.press("2", "Enter")
            other.wait_for(SAVED)


@pytest.mark.slow
def test_a_second_command_on_the_same_labels_or_port_is_refused(tmp_path: Path) -> None:
    captions = write_caption_file(tmp_path)
    with annotate(captions) as (_, address):
        port = address.rsplit(":", 1)[1].strip("/")
        for options, message in (
            (["annotator=ann", "port=0"], "another page is open"),
            (["annotator=bea", f"port={port}"], f"port {port} cannot be used"),
        ):
            command = [sys.executable, "-m", "groundrl.feedback.annotate", f"captions={captions}"]
            ended = subprocess.run(
                [*command, *options], capture_output=True, text=True, check=False
            )
            assert ended.returncode == 2
            assert message in ended.stderr
