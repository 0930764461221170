"""What people said of the cases of a judge, and how far the judge agrees."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from groundrl.errors import UserError
from groundrl.evaluation.benchmarks.base import Figures, ScoredAttempt, image_keys, of_sums, share
from groundrl.files import json_lines
from groundrl.intervals import cohen_kappa

EXPECTED = 'expected {"set": ..., "id": ..., "aligned": true or false}'


@dataclass(frozen=True, slots=True, kw_only=True)
class Labels:
    """A file of what people said."""

    path: Path
    rows: Mapping[tuple[str, str], bool]
    """Aligned or not, by set and id; the set is empty where the file does not say it."""

    def by_set(self, ids: Mapping[str, Collection[str]]) -> dict[str, dict[str, bool]]:
        """The labels of every set by id, given its ``ids``; those of other answers are left out.

        Raises UserError where the set is needed and is not said, or an answer is labelled twice.
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


def read_labels(path: Path) -> Labels:
    """Lines as ``EXPECTED``; where ids are clear without it, ``set`` may be missing. Raises
    UserError."""
    if not path.is_file():
        raise UserError(f"labels={path}: no such file")
    rows: dict[tuple[str, str], bool] = {}
    for where, row in json_lines(path, path.read_bytes()):
        if not isinstance(row, dict) or "id" not in row or not isinstance(row.get("aligned"), bool):
            raise UserError(f"{where}: {EXPECTED}")
        if not isinstance(row.get("set", ""), str):
            raise UserError(f"{where}: set must be the name of a benchmark, got {row['set']!r}")
        key = row.get("set", ""), str(row["id"])
        if key in rows:
            raise UserError(f"{where}: a second label of {row['id']!r}")
        rows[key] = row["aligned"]
    return Labels(path=path, rows=rows)


def agreement(
    judged: Mapping[str, bool], people: Mapping[str, bool], answered: Sequence[ScoredAttempt]
) -> Figures:
    """How a judge compares with people on the answers that both judged, by id: ``kappa``,
    ``agreement``, and the shares that each calls aligned; ``labels_n`` alone without any."""
    both = [one for one in answered if one.attempt.sample.id in judged.keys() & people.keys()]
    if not both:
        return {"labels_n": 0.0}
    ids = [one.attempt.sample.id for one in both]
    a, b = (np.array([said[key] for key in ids]) for said in (judged, people))
    cells = np.eye(4)[2 * a + b]
    return {
        **of_sums({"kappa": lambda s: cohen_kappa(s.reshape(-1, 2, 2))}, cells, image_keys(both)),
        **share("agreement", a == b),
        **share("judge_aligned", a),
        **share("people_aligned", b),
        "labels_n": float(len(both)),
    }
