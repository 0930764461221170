"""A cache of judges' verdicts in a file: no case is judged twice, and a run can be repeated
offline."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar, runtime_checkable

from groundrl.data.problems import Problems
from groundrl.errors import UserError
from groundrl.files import drop_torn_line, whole_lines
from groundrl.json_rows import Text, validate
from groundrl.running.progress import ProgressLine

CASES_AT_ONCE = 256
"""Judged before they are written down."""

BEGINNING = b'{"judge": '
"""Of every line."""

C = TypeVar("C")
V = TypeVar("V")
C_in = TypeVar("C_in", contravariant=True)
V_out = TypeVar("V_out", covariant=True)


@runtime_checkable
class Judge(Protocol[C_in, V_out]):
    """Gives verdicts on cases; both are dataclasses."""

    @property
    def name(self) -> str:
        """What the verdicts depend on: they are only used again under the same name."""
        ...

    def __call__(self, cases: Sequence[C_in]) -> Sequence[V_out | None]:
        """The verdict on each case; None where the judge was not reached."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class VerdictRow:
    """Shape of a line; the fields of the verdict stand beside these."""

    judge: Text
    case: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class VerdictCache(Generic[C, V]):
    """Saves every verdict in a file. Judges may share a file: their names differ."""

    judge: Judge[C, V]
    path: Path
    verdict: type[V]
    """Shape of a verdict in the file: a dataclass whose fields pydantic checks."""

    @property
    def name(self) -> str:
        """The judge's."""
        return self.judge.name

    def __call__(self, cases: Sequence[C]) -> list[V | None]:
        """The verdict on each case, from the file where it is there."""
        known: dict[str, V | None] = dict(self._read())
        new = [one for one in dict.fromkeys(cases) if self._key(_plain(one)) not in known]
        if new:  # else the file is only read
            known |= self._judged(new)
        return [known[self._key(_plain(one))] for one in cases]

    def _judged(self, new: Sequence[C]) -> dict[str, V | None]:
        """New verdicts, each written down behind the last whole line."""
        found: dict[str, V | None] = {}
        line = ProgressLine(len(new), "judge")
        drop_torn_line(self.path)
        with self.path.open("ab") as file, line:
            line.update(0)
            for start in range(0, len(new), CASES_AT_ONCE):
                chunk = new[start : start + CASES_AT_ONCE]
                for one, verdict in zip(chunk, self.judge(chunk), strict=True):
                    found[self._key(_plain(one))] = verdict
                    if verdict is not None:
                        row = {"judge": self.name, "case": _plain(one), **_plain(verdict)}
                        file.write(json.dumps(row).encode() + b"\n")
                file.flush()
                line.update(len(found))
        return found

    def _key(self, one: Mapping[str, Any]) -> str:
        return json.dumps([self.name, one], sort_keys=True)

    def _read(self) -> dict[str, V]:
        known: dict[str, V] = {}
        problems = Problems(str(self.path))
        for number, line in enumerate(self._lines(), 1):
            try:
                value = json.loads(line)
                row = validate(VerdictRow, value)
                if row.judge == self.name:
                    known[self._key(row.case)] = validate(self.verdict, value)
            except ValueError as error:
                problems.add(f"{self.path}:{number}", f"no judgement ({error})")
        problems.raise_if_any()
        return known

    def _lines(self) -> list[bytes]:
        """All but a torn last line. Raises UserError where that line is not the beginning of a
        judgement: then the file is not ours to cut."""
        content = self.path.read_bytes() if self.path.exists() else b""
        whole = whole_lines(content)
        lines, torn = whole.splitlines(), content[len(whole) :]
        if torn[: len(BEGINNING)] != BEGINNING[: len(torn)]:
            raise UserError(f"{self.path}:{len(lines) + 1}: no judgement: {torn!r:.40}")
        return lines


def _plain(record: Any) -> dict[str, Any]:
    return asdict(record)
