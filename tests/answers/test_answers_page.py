"""The reader does what the page about boxes and answers says, row by row."""

import re
from itertools import chain
from pathlib import Path

import pytest

from groundrl.answers.options import normalise, read_answer, read_exactly
from groundrl.answers.yes_no import YES_NO_WORDS, read_yes_no
from groundrl.boxes import Box, Frame
from groundrl.grammar import GRAMMARS
from groundrl.records import Grounding, Response

PAGE = (Path(__file__).parents[2] / "docs" / "answers.md").read_text(encoding="utf-8")
COLORS = ("red", "blue", "green", "white")


def cell(text: str) -> str:
    """What a cell shows: the text of its code span, line breaks as ``\\n``."""
    code = re.fullmatch(r"(`+) ?(.*?) ?\1", text.strip(), re.DOTALL)
    shown = code[2] if code else text.strip()
    return shown.replace("\\|", "|").replace("\\n", "\n")


def tables() -> dict[str, list[list[str]]]:
    """Rows of cells by the head of their table; several tables may share a head."""
    found: dict[str, list[list[str]]] = {}
    for table in re.findall(r"(?:^\|.*\|\n)+", PAGE, re.MULTILINE):
        head, _, *rows = table.splitlines()
        cells = [[cell(one) for one in re.split(r"(?<!\\)\|", row)[1:-1]] for row in rows]
        found.setdefault(head, []).extend(cells)
        found[f"{head} {cells[0][0]}"] = cells
    return found


TABLES = tables()
THREE = "| written | read | strictly |"


def grounding(*corners: float, label: str = "red cup") -> Grounding:
    x1, y1, x2, y2 = corners
    return Grounding(label=label, box=Box(x1=x1, y1=y1, x2=x2, y2=y2, frame=Frame.PERMILLE))


def test_the_page_shows_every_grammar() -> None:
    assert [row[0] for row in TABLES["| grammar | models | a red cup |"]] == list(GRAMMARS)


@pytest.mark.parametrize(("name", "_models", "text"), TABLES["| grammar | models | a red cup |"])
def test_a_box_is_written_as_shown(name: str, _models: str, text: str) -> None:
    box = grounding(250.0, 125.0, 750.0, 500.0)
    written = GRAMMARS[name].render(Response(reasoning=("The ", box, "."), answer="red"))
    assert written == f"<think>The {text}.</think><answer>red</answer>"


@pytest.mark.parametrize(("name", "text", "read"), TABLES["| grammar | written | read |"])
def test_a_box_that_is_not_quite_right_is_read(name: str, text: str, read: str) -> None:
    parsed = GRAMMARS[name].parse(f"<think>so</think><answer>{text}</answer>", Frame.PERMILLE)
    *label, x1, y1, x2, y2 = read.split()
    box = grounding(float(x1), float(y1), float(x2), float(y2), label=" ".join(label))
    assert parsed.groundings == (box,)
    assert parsed.damaged == ()


@pytest.mark.parametrize(("name", "text"), TABLES["| grammar | damage |"])
def test_damage_is_reported(name: str, text: str) -> None:
    parsed = GRAMMARS[name].parse(f"<think>so</think><answer>{text}</answer>", Frame.PERMILLE)
    assert parsed.groundings == ()
    assert parsed.damaged
    assert not parsed.well_formed


@pytest.mark.parametrize(("text", "answer", "strictly"), TABLES["| written | answer | strictly |"])
def test_the_answer_is_found(text: str, answer: str, strictly: str) -> None:
    for grammar in GRAMMARS.values():
        parsed = grammar.parse(text, Frame.PERMILLE)
        assert (parsed.answer or "", parsed.tagged_answer or "") == (answer, strictly)
        if parsed.answer_span is not None:
            assert text[slice(*parsed.answer_span)] == parsed.answer


@pytest.mark.parametrize(("text", "read", "strictly"), TABLES[f"{THREE} B"])
def test_options_are_chosen(text: str, read: str, strictly: str) -> None:
    assert (read_answer(text, COLORS) or set()) == set(read.split())
    assert (read_exactly(text, COLORS) or set()) == set(strictly.split())


@pytest.mark.parametrize(("text", "read", "strictly"), TABLES[f"{THREE} True"])
def test_verdicts_are_read(text: str, read: str, strictly: str) -> None:
    assert read_yes_no(text) is YES_NO_WORDS.get(read)
    assert YES_NO_WORDS.get(normalise(text)) is YES_NO_WORDS.get(strictly)
    assert (read_answer(text, ("true", "false")) or set()) == set(read.split())


@pytest.mark.parametrize(("text", "read", "strictly"), TABLES[f"{THREE} three"])
def test_open_answers_are_read(text: str, read: str, strictly: str) -> None:
    assert read_answer(text, ()) == {read}
    assert read_exactly(text, ()) == {strictly}


def test_no_table_is_left_out() -> None:
    heads = {line for line in PAGE.splitlines() if line.startswith("|") and "`" not in line}
    tested = {"| grammar | models | a red cup |", "| grammar | written | read |", THREE}
    tested |= {"| grammar | damage |", "| written | answer | strictly |"}
    assert {head for head in heads if "---" not in head} == tested
    assert len(list(chain.from_iterable(TABLES.values()))) > 200
