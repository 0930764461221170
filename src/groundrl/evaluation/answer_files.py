"""Reads files of answers that other tools write."""

import csv
import logging
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

from groundrl.data.problems import Problems
from groundrl.errors import UserError
from groundrl.evaluation.answer_format import AnswerFormat, GivenAnswer
from groundrl.evaluation.answer_rows import FORMATS, PUBLISHED
from groundrl.evaluation.benchmarks.mme import COGNITION, PERCEPTION
from groundrl.files import json_lines, parse_json

logger = logging.getLogger(__name__)

Numbered = Iterable[tuple[str, Any]]
"""Rows with their places."""
OURS: Final = frozenset({"set", "boxes_true"})
"""Fields of a line of our own file."""


def read_answer_file(
    path: Path, problems: Problems, more: Sequence[AnswerFormat] = ()
) -> list[GivenAnswer] | None:
    """The answers of a file of others; None for one of ours. Broken rows are added to ``problems``.
    ``more``: formats that are tried before ``FORMATS``.

    Raises UserError for a file that cannot be read, or that is in no known format.
    """
    numbered = list(_rows(path))
    first = next((row for _, row in numbered if isinstance(row, dict)), {})
    if first.keys() >= OURS or (path.suffix == ".jsonl" and not first):
        return None
    known = (*more, *FORMATS)
    found = next((one for one in known if one.sign <= first.keys()), None)
    if found is None and path.suffix == ".jsonl" and "set" in first:
        return None
    if found is None and first:
        raise UserError(
            f"{path}: its rows have the fields {', '.join(map(str, first))}; expected those of our "
            "own file or of "
            + "; ".join(f"{one.title} ({', '.join(sorted(one.sign))})" for one in known)
        )
    format = found or PUBLISHED
    answers: list[GivenAnswer] = []
    for where, row in numbered:
        try:
            if isinstance(row, ValueError):
                raise row
            answers.append(format.read(row))
        except ValueError as error:
            problems.add(where, str(error))
    logger.info("%s: %d answers, read as %s", path, len(answers), format.title)
    return answers


def _rows(path: Path) -> Numbered:
    if path.is_dir():
        tasks = [path / f"{task}.txt" for task in (*PERCEPTION, *COGNITION)]
        return [row for task in tasks if task.is_file() for row in _mme_rows(task)]
    suffix = path.suffix.lower()
    if suffix in (".xlsx", ".xls"):
        raise UserError(f"{path}: save the sheet as .tsv or .csv, and give that file")
    if suffix == ".txt":
        return _mme_rows(path)
    if suffix in (".tsv", ".csv"):
        return _sheet_rows(path, "\t" if suffix == ".tsv" else ",")
    content = path.read_bytes()
    if suffix == ".jsonl" or _is_json_lines(content):
        return json_lines(path, content)
    try:
        rows = parse_json(content)
    except ValueError as error:
        raise UserError(f"{path} is not valid JSON: {error}") from error
    if not isinstance(rows, list):
        raise UserError(f"{path}: expected a list of records")
    return [(f"{path}: record {index}", row) for index, row in enumerate(rows)]


def _is_json_lines(content: bytes) -> bool:
    """POPE's files are called ``.json`` and hold an object a line."""
    first, _, rest = content.lstrip().partition(b"\n")
    return first[:1] == b"{" and first.rstrip()[-1:] == b"}" and rest.lstrip()[:1] in (b"{", b"")


def _mme_rows(path: Path) -> Numbered:
    lines = _text(path).split("\n")
    cells = [line.split("\t") for line in lines]
    names = ("mme_image", "question", "truth", "answer")
    return [
        (f"{path}:{number}", dict(zip(names, row, strict=False)))
        for number, row in enumerate(cells, start=1)
        if row != [""]
    ]


def _sheet_rows(path: Path, delimiter: str) -> Numbered:
    csv.field_size_limit(2**31 - 1)  # answers may be long
    rows = csv.DictReader(_text(path).splitlines(keepends=True), delimiter=delimiter)
    try:
        return [
            (f"{path}: row {number}", {k: v for k, v in row.items() if isinstance(k, str)})
            for number, row in enumerate(rows, start=1)
        ]
    except csv.Error as error:
        raise UserError(f"{path} is no sheet: {error}") from error


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is no text in UTF-8: {error}") from error
