"""People's labels of the cases of a judge, and how far the judge agrees with them."""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import BeforeValidator

from groundrl.data.problems import Problems
from groundrl.errors import UserError
from groundrl.evaluation.benchmarks.base import (
    Figures,
    ScoredAttempt,
    figures_of_sums,
    image_keys,
    share,
)
from groundrl.figures import FigureInfo
from groundrl.files import write_text
from groundrl.intervals import cohen_kappa
from groundrl.json_rows import Flag, Text, read_json_lines

LABEL_FIGURES = {
    "kappa": FigureInfo(
        meaning="Cohen's kappa between the judge and people, or another judge whose verdicts are "
        "the labels."
    ),
    "agreement": FigureInfo(
        meaning="Share of labelled answers on which the judge and people agree."
    ),
    "judge_aligned": FigureInfo(meaning="Share of labelled answers that the judge calls aligned."),
    "people_aligned": FigureInfo(meaning="Share of labelled answers that people call aligned."),
    "labels_n": FigureInfo(meaning="Answers that people labelled."),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Labels:
    """People's labels of answers, from a file."""

    path: Path
    rows: Mapping[tuple[str, str], bool]
    """Aligned or not, by set and id; the set is empty where the file does not say it."""

    def by_set(self, ids: Mapping[str, Collection[str]]) -> dict[str, dict[str, bool]]:
        """The labels of every set by id, given its ``ids``; those of other answers are left out.

        Raises UserError where the set is needed and missing, or an answer is labelled twice.
        """
        found: dict[str, dict[str, bool]] = {name: {} for name in ids}
        unclear, twice = [], []
        for (name, one), aligned in self.rows.items():
            places = [key for key in ids if name in ("", key) and one in ids[key]]
            if len(places) > 1:
                unclear.append(f"{one!r} ({', '.join(places)})")
            elif places and one in found[places[0]]:
                twice.append(f"{one!r} of {places[0]}")
            elif places:
                found[places[0]][one] = aligned
        if unclear:
            raise UserError(
                f"labels={self.path}: {len(unclear)} rows have an id that several benchmarks ask "
                f'about, such as {unclear[0]}: write "set": "<benchmark>" into each'
            )
        if twice:
            raise UserError(
                f"labels={self.path}: {len(twice)} answers are labelled with their set and again "
                f"without, such as {twice[0]}: drop one of the two"
            )
        return found


def _text_of_number(value: object) -> object:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelRow:
    """Shape of a line."""

    set: Text = ""
    id: Annotated[Text, BeforeValidator(_text_of_number)]
    aligned: Flag


def read_labels(path: Path) -> Labels:
    """Lines ``{"set": ..., "id": ..., "aligned": true or false}``; ``set`` may be missing where the
    ids are of one benchmark only. Raises UserError that lists every broken line."""
    if not path.is_file():
        raise UserError(f"labels={path}: no such file")
    problems = Problems(f"labels={path}")
    rows: dict[tuple[str, str], bool] = {}
    for where, row in read_json_lines(path, path.read_bytes(), LabelRow, problems.add):
        key = row.set, row.id
        if key in rows:
            problems.add(where, f"a second label of {row.id!r}")
        rows[key] = row.aligned
    problems.raise_if_any()
    return Labels(path=path, rows=rows)


def write_labels(path: Path, verdicts: Mapping[str, Mapping[str, bool]]) -> None:
    """A judge's verdicts by set and id, in the form of labels: another judge can be held against
    them."""
    rows = [
        {"set": name, "id": one, "aligned": aligned}
        for name, own in verdicts.items()
        for one, aligned in own.items()
    ]
    write_text(path, "".join(f"{json.dumps(row)}\n" for row in rows))


def agreement(
    judged: Mapping[str, bool], people: Mapping[str, bool], answered: Sequence[ScoredAttempt]
) -> Figures:
    """How a judge compares with people on the answers that both judged, by id: ``kappa``,
    ``agreement``, and the shares that each calls aligned; ``labels_n`` alone without any."""
    both = [one for one in answered if one.attempt.sample.id in judged.keys() & people.keys()]
    if not both:
        return {"labels_n": 0.0}
    ids = [one.attempt.sample.id for one in both]
    a, b = (np.array([verdicts[key] for key in ids]) for verdicts in (judged, people))
    cells = np.eye(4)[2 * a + b]
    return {
        **figures_of_sums(
            {"kappa": lambda s: cohen_kappa(s.reshape(-1, 2, 2))}, cells, image_keys(both)
        ),
        **share("agreement", a == b),
        **share("judge_aligned", a),
        **share("people_aligned", b),
        "labels_n": float(len(both)),
    }
