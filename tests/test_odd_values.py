"""Values that campaigns found to be read as no problem of a file, each in one small case."""

import errno
import json
import threading
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from published_files import WRITERS
from replies import LINE
from small_data import MAKERS

from groundrl.answers.record import read_record
from groundrl.boxes import Frame
from groundrl.chat.openai_compatible import read_reply
from groundrl.chat.spending import Price, Spending
from groundrl.data.detection.voc import VocLayout
from groundrl.data.detection.xml_files import stated_size
from groundrl.data.formats.conversations import ConversationRows
from groundrl.data.formats.ms_swift import MsSwiftRows
from groundrl.data.formats.visual_genome import VisualGenomeRows
from groundrl.data.image_files import ImageFinder
from groundrl.errors import UserError, os_error
from groundrl.files import json_lines, read_yaml
from groundrl.launch.logs import silence_libraries
from groundrl.published.refcoco import RefCOCOReader
from groundrl.report.answers.cards import read_run_image
from groundrl.report.runs import read_failure, read_metrics

HUGE = 10**400
"""Beyond any float."""


def test_a_line_that_is_nested_too_deeply_is_no_json(tmp_path: Path) -> None:
    (_, first), (_, second) = json_lines(tmp_path / "a.jsonl", b"[" * 100_000 + b'\n{"a": 1}\n')
    assert isinstance(first, ValueError)
    assert second == {"a": 1}


@pytest.mark.parametrize(
    "content", [[], 3, {"sft": 3, "grpo": "x"}, {"sft": {"acc": "x"}}, {"time": [1]}]
)
def test_metrics_of_another_shape_are_an_error_that_names_the_file(
    tmp_path: Path, content: Any
) -> None:
    (tmp_path / "metrics.json").write_text(json.dumps(content))
    with pytest.raises(UserError, match=r"metrics\.json: metrics"):
        read_metrics(tmp_path)


def test_a_failure_in_another_encoding_is_told(tmp_path: Path) -> None:
    (tmp_path / "error.txt").write_bytes(b"caf\xe9\n")
    assert read_failure(tmp_path).startswith("caf")


@pytest.mark.parametrize("text", ["a: " + "9" * 5000, "[" * 5000, "a: !!python/x"])
def test_what_yaml_cannot_hold_is_an_error_that_names_the_file(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.yaml").write_text(text)
    with pytest.raises(UserError, match=r"a\.yaml is not valid YAML"):
        read_yaml(tmp_path / "a.yaml")


def test_a_speaker_or_a_kind_of_box_that_is_no_text_is_a_problem() -> None:
    turn = {"from": {"a": "b"}, "value": "x"}
    with pytest.raises(ValueError, match="unknown speaker"):
        ConversationRows().read({"image": "a.png", "conversations": [turn]}, None)
    said = [{"role": "user", "content": "x"}, {"role": "assistant", "content": "<bbox>"}]
    boxes = {"ref": ["a"], "bbox": [[1, 2, 3, 4]], "bbox_type": ["real"]}
    with pytest.raises(ValueError, match="bbox_type must be"):
        MsSwiftRows().read({"messages": said, "images": ["a.png"], "objects": boxes}, None)


def test_a_number_beyond_any_float_is_a_problem() -> None:
    region = {"phrase": "cat", "x": HUGE, "y": 2, "width": 3.5, "height": 4}
    with pytest.raises(ValueError, match="too large"):
        VisualGenomeRows().read({"image_id": 1, "regions": [region]}, Frame.PIXEL)
    assert stated_size("9" * 400, "80") == ("9" * 400, 80)


def test_a_name_that_no_file_can_have_is_that_of_a_missing_image(tmp_path: Path) -> None:
    finder = ImageFinder([tmp_path])
    for name in ("a" * 300 + ".png", "a\x00.png", ".", ""):
        assert not finder.has(name)
        finder.find(name)
    assert finder.id_of(tmp_path) == ""


@pytest.mark.parametrize("tokens", [-3, HUGE, 2.5])
def test_a_count_of_tokens_that_no_server_has_is_no_answer(tokens: float, tmp_path: Path) -> None:
    usage = {"prompt_tokens": tokens}
    answer = {"choices": [{"message": {"content": "yes"}}], "usage": usage}
    assert read_reply(json.dumps(answer).encode()) is None
    file = tmp_path / "spent.jsonl"
    file.write_text(json.dumps({"prompt": tokens, "completion": 1}) + "\n")
    with pytest.raises(UserError, match=r"spent\.jsonl:1 is no record of tokens"):
        Spending(Price(prompt=1.0, completion=1.0), path=str(file))


@pytest.mark.parametrize(
    "content", [b"\x80\x04\x95" + b"\xff" * 8, b"\x80\x04.", b"(dS", b"\x80\xff"]
)
def test_a_damaged_pickle_is_an_error_that_names_the_file(tmp_path: Path, content: bytes) -> None:
    WRITERS["refcoco"](tmp_path)
    (tmp_path / "refcoco" / "refs(unc).p").write_bytes(content)
    with pytest.raises(UserError, match=r"refs\(unc\)\.p is not the published file"):
        RefCOCOReader(dataset="refcoco", root=str(tmp_path), split="train").find_samples()


def test_a_damaged_picture_of_a_run_is_not_shown(tmp_path: Path) -> None:
    record = read_record(LINE)
    Image.new("RGB", (8, 6)).save(tmp_path / "a.png")
    assert read_run_image(tmp_path, "a.png", record, 64) is not None
    (tmp_path / "a.png").write_bytes((tmp_path / "a.png").read_bytes()[:40])
    assert read_run_image(tmp_path, "a.png", record, 64) is None


def test_a_full_disk_is_found_in_the_text_of_a_library(tmp_path: Path) -> None:
    told = RuntimeError("I/O error: No space left on device (os error 28)")
    found = os_error(told, tmp_path)
    assert found is not None
    assert (found.errno, found.filename) == (28, str(tmp_path))
    assert os_error(RuntimeError("header too large"), tmp_path) is None


def test_a_full_disk_in_a_thread_of_a_library_is_not_told_twice(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(threading, "excepthook", threading.excepthook)
    silence_libraries()

    def fail(error: Exception) -> str:
        def raise_it() -> None:
            raise error

        thread = threading.Thread(target=raise_it)
        thread.start()
        thread.join()
        return capsys.readouterr().err

    assert fail(OSError(errno.ENOSPC, "No space left on device", "events")) == ""
    assert "KeyError: 'a bug'" in fail(KeyError("a bug"))


def test_a_listed_annotation_that_no_file_can_be_is_missing(tmp_path: Path) -> None:
    MAKERS["voc"](tmp_path)
    (tmp_path / "ImageSets/Main/train.txt").write_text("a\n" + "b" * 300 + "\n")
    with pytest.raises(UserError, match="no such annotation file"):
        VocLayout().read(tmp_path, "train")
