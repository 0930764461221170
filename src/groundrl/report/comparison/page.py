"""The page that compares runs, and the table for the terminal."""

import json
from collections.abc import Sequence
from pathlib import Path

from markupsafe import Markup

from groundrl.files import write_text
from groundrl.report.charts.bands import series_class
from groundrl.report.comparison.curves import curve_groups, stage_charts
from groundrl.report.comparison.options import option_table
from groundrl.report.comparison.paired import (
    TESTS_LEGEND,
    compare_settings,
    compare_stages,
    difference_table,
)
from groundrl.report.comparison.questions import collect_questions
from groundrl.report.comparison.results import RESULTS_LEGEND, list_alarms, results_tables
from groundrl.report.comparison.runs import by_setting, find_compared, shared_questions
from groundrl.report.page import TEMPLATES
from groundrl.report.tables import to_text


def write_comparison(places: Sequence[str], page: Path) -> str:
    """Compare the runs in the given folders on one page. Returns the text for the terminal: the
    tables, what was left out, the path of the page.

    Raises UserError for folders that hold nothing to compare.
    """
    found = find_compared(places)
    runs = found.runs
    notes = [*found.left_out, *list_alarms(runs)]
    asked = shared_questions(runs)
    total = len({key for run in runs for key in run.results})
    if len(asked) < total:
        notes.append(
            f"{total - len(asked)} of {total} questions are tested and shown nowhere: not every "
            "run has an answer to them"
        )
    results, other = results_tables(runs)
    settings = difference_table(compare_settings(runs, asked), "Between settings")
    stages = difference_table(compare_stages(runs, asked), "Between stages")
    questions = collect_questions(runs, asked)
    html = TEMPLATES.get_template("compared_runs.html.jinja").render(
        title="Runs compared",
        notes=notes,
        settings=[
            (name, series_class(number), len(own))
            for number, (name, own) in enumerate(by_setting(runs).items())
        ],
        options=option_table(runs),
        results=results,
        other_figures=other,
        results_legend=RESULTS_LEGEND,
        between_settings=settings,
        between_stages=stages,
        tests_legend=TESTS_LEGEND,
        stage_charts=stage_charts(runs),
        curves=curve_groups(runs),
        shown=len(questions.questions),
        asked=len(asked),
        content=as_json({"columns": questions.columns, "questions": questions.questions}),
        pictures=as_json(questions.pictures),
    )
    write_text(page, html)
    shown = settings if settings.rows else stages
    tables = [to_text(table) + "\n" for table in (results, shown) if table.rows]
    return "\n".join([*tables, *notes, str(page)])


def as_json(value: object) -> Markup:
    """JSON that can stand in a ``<script>`` element: no text can end it."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return Markup(text.replace("<", "\\u003c"))
