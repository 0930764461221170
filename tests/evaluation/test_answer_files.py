"""Files of answers that other tools write are recognised, told, and scored."""

import csv
import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from replies import DATA, images, needs_data

from groundrl.errors import UserError
from groundrl.evaluation.benchmarks.base import Benchmark, Figures, summarize
from groundrl.evaluation.benchmarks.mme import COGNITION, MME, PERCEPTION
from groundrl.evaluation.benchmarks.yes_no import POPE
from groundrl.evaluation.inference import score_attempt
from groundrl.evaluation.matching import match_recorded
from groundrl.evaluation.recorded import read_predictions
from groundrl.grammar import get_grammar

OBJECTS = ("dog", "cat", "car", "cup")
Question = tuple[int, str, str, str]
"""Number, image, wording, right answer."""
QUESTIONS: list[Question] = [
    (
        4 * k + i + 1,
        f"COCO_val2014_{k:012d}.jpg",
        f"Is there a {name} in the image?",
        ("yes", "no")[i % 2],
    )
    for k in range(3)
    for i, name in enumerate(OBJECTS)
]
SAID = ["Yes, there is." if (number % 3) else "No." for number, *_ in QUESTIONS]
RIGHT = sum((a[:2] == "No") == (q[3] == "no") for a, q in zip(SAID, QUESTIONS, strict=True))


def pope_answers(question: Question, said: str) -> dict[str, Any]:
    return {"question": question[2], "answer": said}


def llava(question: Question, said: str) -> dict[str, Any]:
    prompt = f"{question[2]}\nAnswer the question using a single word or phrase."
    name = {"answer_id": "x1", "model_id": "m", "metadata": {}}
    return {"question_id": question[0] - 1, "prompt": prompt, "text": said, **name}


def lmms_eval(question: Question, said: str) -> dict[str, Any]:
    number, image, text, label = question
    doc = {"id": str(number), "question_id": str(number), "question": text, "answer": label}
    doc |= {"image_source": image.removesuffix(".jpg"), "category": "random"}
    logged = {"target": label, "resps": [[said]], "filtered_resps": [said]}
    return {"doc_id": number - 1, "doc": doc, "input": f"{text}\nAnswer.", **logged}


def batch(question: Question, said: str) -> dict[str, Any]:
    choice = {"index": 0, "message": {"role": "assistant", "content": said}}
    body = {"id": "chatcmpl-1", "choices": [choice], "usage": {"prompt_tokens": 3}}
    response = {"status_code": 200, "request_id": "r", "body": body}
    return {"id": "vllm-1", "custom_id": str(question[0]), "response": response, "error": None}


def sheet(question: Question, said: str) -> dict[str, Any]:
    number, image, text, label = question
    row = {"index": 100 + number, "question": text, "answer": label, "category": "random"}
    return row | {"image_path": image, "prediction": said}


def json_lines(path: Path, rows: list[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def separated(path: Path, rows: list[dict[str, Any]]) -> None:
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        delimiter = "\t" if path.suffix == ".tsv" else ","
        writer = csv.DictWriter(file, list(rows[0]), delimiter=delimiter)
        writer.writeheader()
        writer.writerows(rows)


def asked(folder: Path, variant: Any = "random") -> POPE:
    """POPE's own files."""
    images(folder / "val2014", [question[1] for question in QUESTIONS])
    names = ("question_id", "image", "text", "label")
    rows: list[dict[str, Any]] = [dict(zip(names, one, strict=True)) for one in QUESTIONS]
    json_lines(folder / f"coco_pope_{variant}.json", rows)
    return POPE(variant=variant, root=str(folder))


def scored(path: Path, **benchmarks: Benchmark) -> dict[str, Figures]:
    recorded = read_predictions(path, get_grammar("inline_box"))
    found, _ = match_recorded(path, recorded, benchmarks)
    return {
        name: summarize(one, [score_attempt(one, answer.attempt) for answer in found[name]])
        for name, one in benchmarks.items()
    }


FILES: list[tuple[str, Callable[[Question, str], dict[str, Any]], str, bool]] = [
    ("answers.json", pope_answers, "answers as POPE takes them", False),
    ("answers.jsonl", pope_answers, "answers as POPE takes them", False),
    ("answers.jsonl", llava, "answers as LLaVA writes them", False),
    ("m_samples_pope.jsonl", lmms_eval, "a log of lmms-eval", True),
    ("out.jsonl", batch, "the output of an OpenAI batch", True),
    ("m_POPE.tsv", sheet, "a sheet of VLMEvalKit", True),
    ("m_POPE.csv", sheet, "a sheet of VLMEvalKit", True),
]


@pytest.mark.parametrize(("name", "write", "title", "any_order"), FILES)
def test_a_file_of_another_tool_is_told_and_scored(
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    name: str,
    write: Callable[[Question, str], dict[str, Any]],
    title: str,
    any_order: bool,
) -> None:
    pope, path = asked(tmp_path), tmp_path / name
    rows = [write(question, said) for question, said in zip(QUESTIONS, SAID, strict=True)]
    save = separated if path.suffix in (".tsv", ".csv") else json_lines
    save(path, rows)
    with caplog.at_level(logging.INFO):
        assert scored(path, pope=pope)["pope"]["acc"] == RIGHT / len(QUESTIONS)
    assert f"12 answers, read as {title}" in caplog.text
    save(path, rows[::-1])
    if any_order:
        assert scored(path, pope=pope)["pope"]["acc"] == RIGHT / len(QUESTIONS)
    else:
        with pytest.raises(UserError, match="fit several questions of the same wording"):
            scored(path, pope=pope)


def test_a_log_of_all_parts_is_divided(tmp_path: Path) -> None:
    parts = {name: asked(tmp_path, name) for name in ("random", "popular")}
    rows = [lmms_eval(question, said) for question, said in zip(QUESTIONS, SAID, strict=True)]
    other = [row | {"doc": row["doc"] | {"category": "popular"}} for row in rows]
    other = [row | {"filtered_resps": ["yes"]} for row in other]
    json_lines(tmp_path / "log.jsonl", [*rows, *other])
    figures = scored(tmp_path / "log.jsonl", **parts)
    assert figures["random"]["acc"] == RIGHT / len(QUESTIONS)
    assert figures["popular"]["yes_ratio"] == 1.0


def test_mme_is_scored_from_its_result_files(tmp_path: Path) -> None:
    results = tmp_path / "results"
    for folder in (results, tmp_path / "MME"):
        folder.mkdir()
    for task in (*PERCEPTION, *COGNITION):
        images(tmp_path / "MME" / task, ["0.jpg"])
        lines = [f"0.jpg\tIs it {task}? Please answer yes or no.\tYes"]
        lines += [f"0.jpg\tIs it not {task}? Please answer yes or no.\tNo"]
        (tmp_path / f"MME/{task}.txt").write_text("\n".join(lines) + "\n")
        said = [f"{lines[0]}\tYes, it is.", f"{lines[1]}\t{'No.' if task in COGNITION else 'Yes'}"]
        (results / f"{task}.txt").write_text("\n".join(reversed(said)) + "\n")
    figures = scored(results, mme=MME(root=str(tmp_path / "MME")))["mme"]
    assert (figures["cognition"], figures["perception"]) == (800, 500)


@pytest.mark.slow
@needs_data
def test_every_published_question_of_mme_is_found_by_wording_and_image(tmp_path: Path) -> None:
    for file in (DATA / "mme").glob("*.txt"):
        lines = [line for line in file.read_text().splitlines() if line]
        (tmp_path / file.name).write_text("\n".join(f"{line}\tYes" for line in reversed(lines)))
    mme = MME(root=str(DATA))
    recorded = read_predictions(tmp_path, get_grammar("inline_box"))
    found, questions = match_recorded(tmp_path, recorded, {"mme": mme})
    assert len(found["mme"]) == len(questions["mme"].samples) == 2374


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.xlsx", b"PK", r"a\.xlsx: save the sheet as \.tsv or \.csv"),
        ("a.json", b'[{"a": 1}]', r"its rows have the fields a; expected those of .* lmms-eval"),
        ("a.json", b'{"a": [1]}', "its rows have the fields a; expected"),
        ("a.json", b"[1", "is not valid JSON"),
        ("a.json", b'{\n"a": 1}', "expected a list of records"),
        ("a.txt", b"\xff\xfe", "is no text in UTF-8"),
        ("a.txt", b"a\tb\tyes", r"a\.txt:1: lacks the field 'answer'"),
        (
            "a.json",
            b'[{"question": "a?", "answer": "yes", "response": "no"}]',
            "has an unknown field 'response'",
        ),
        (
            "a.jsonl",
            b'{"custom_id": "7", "response": null, "error": {"code": "timeout"}}',
            r"a\.jsonl:1: request '7' failed \({'code': 'timeout'}\): ask it again",
        ),
        (
            "a.jsonl",
            b'{"doc_id": 1, "filtered_resps": [[]], "doc": {}}',
            r"filtered_resps: expected one text, got \[\]",
        ),
        ("a.csv", b"index,question,prediction\n1,why", "prediction: expected text, got None"),
    ],
)
def test_a_file_that_cannot_be_read_is_explained(
    tmp_path: Path, name: str, content: bytes, message: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=message):
        read_predictions(tmp_path / name, get_grammar("inline_box"))


def test_answers_without_the_truth_need_the_benchmark(tmp_path: Path) -> None:
    json_lines(tmp_path / "a.jsonl", [batch(QUESTIONS[0], "yes")])
    with pytest.raises(UserError, match="does not hold the right answers"):
        scored(tmp_path / "a.jsonl", pope=POPE(variant="random"))
