"""What all pages share."""

import re
from collections.abc import Mapping

import pytest
from browsing import Page
from jinja2 import UndefinedError

from groundrl.report.page import MAX_CHARACTERS, TEMPLATES, load_templates, read_static, shorten
from groundrl.report.tables import Table

EVIL = "\"'><script>x()</script>"


def render(macro: str, *values: object) -> str:
    """A macro of the shared templates."""
    module = TEMPLATES.get_template("parts.html.jinja").module
    return str(getattr(module, macro)(*values))


class Cells(Page):
    """The texts of a table, in order."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_data(self, data: str) -> None:
        if data.strip():
            self.found.append(data)


def test_a_table_shows_its_title_columns_and_cells() -> None:
    table = Table(columns=("name", "x"), rows=(("a|b", "1.5"), ("<c>", "-12")), title="T")
    parser = Cells()
    parser.feed(render("table_element", table))
    assert parser.found == ["T", "name", "x", "a|b", "1.5", "<c>", "-12"]
    assert parser.open == []
    shown = render("table_element", table)
    assert '<td>a|b</td><td class="number">1.5</td>' in shown
    assert "<c>" not in shown


def test_a_table_without_rows_is_left_out() -> None:
    assert render("framed_table", Table(columns=("a",), rows=())).strip() == ""


@pytest.mark.parametrize(
    ("macro", "values"),
    [
        ("chip", (EVIL, EVIL)),
        ("chips", ([EVIL],)),
        ("framed_table", (Table(columns=(EVIL,), rows=((EVIL,),), title=EVIL),)),
        ("warnings", ([EVIL],)),
        ("config_section", (EVIL,)),
        ("filters", ({EVIL: [EVIL, "b"]},)),
        ("filters", ({"many": [f"{EVIL}{k}" for k in range(9)]},)),
        ("filter_attributes", ({"kind": EVIL},)),
        ("options", ([EVIL, "b"], [EVIL])),
    ],
)
def test_no_shared_part_turns_text_into_markup(macro: str, values: tuple[object, ...]) -> None:
    shown = render(macro, *values)
    assert "<script" not in shown
    assert "script" in shown


@pytest.mark.parametrize("values", [{}, {"title": "T"}])
def test_a_value_that_is_missing_is_an_error(values: Mapping[str, object]) -> None:
    with pytest.raises(UndefinedError):
        TEMPLATES.get_template("sweep.html.jinja").render(values)


def test_a_template_of_a_package_may_use_the_shared_ones() -> None:
    names = load_templates("groundrl.synthesis.report").list_templates()
    assert {"page.html.jinja", "image_card.html.jinja"} < set(names)


def test_every_class_that_the_scripts_look_for_has_a_style() -> None:
    styles = read_static("groundrl.report", "gallery.css") + read_static(
        "groundrl.report", "page.css"
    )
    script = read_static("groundrl.report", "page.js")
    for name in re.findall(r'classList.toggle\(\s*"([a-z-]+)"', script):
        assert f".{name}" in styles


def test_long_text_is_shortened() -> None:
    assert shorten("a" * MAX_CHARACTERS) == "a" * MAX_CHARACTERS
    assert shorten("a" * (MAX_CHARACTERS + 1)) == "a" * MAX_CHARACTERS + " …"
