"""Merge what the campaigns and the tests left into one page: ``python -m campaigns.cases``.

Reads ``*.jsonl``, which ``--kept`` writes, and ``*.xml``, which ``pytest --junitxml`` writes.
"""

import json
import sys
import xml.etree.ElementTree as ET
from argparse import ArgumentParser
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from campaigns.table import Case
from groundrl.report.tables import Table, to_markdown

ROOT = Path(__file__).parents[2]
KEPT = ROOT / "outputs" / "campaigns"
PAGE = ROOT / "docs" / "robustness_cases.md"
ABOUT = """# Cases of robustness

Every case that was run for [Robustness](robustness.md): what was done, what was expected, what was
seen. `make campaign-cases` writes this page from what the commands below have left; there is no row
that was not run. What was not as promised stays as it was seen: [Robustness](robustness.md) says
what was mended. A row of `fuzz` is a reader and a kind of damage, with how often it came first.
"""
LONGEST = 180
"""Characters of a cell."""


def read_cases(folder: Path) -> Iterator[tuple[str, Case]]:
    """The command that led to a case, and the case."""
    for path in sorted(folder.glob("*.jsonl")):
        for line in path.read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            yield f"python -m campaigns.{row.pop('command')}", Case(**row)
    for path in sorted(folder.glob("*.xml")):
        yield from (("make campaign-tests", case) for case in read_tests(path))


def read_tests(path: Path) -> Iterator[Case]:
    """The tests in a file of JUnit's format; those that were skipped are no cases."""
    for test in ET.parse(path).iter("testcase"):
        if test.find("skipped") is not None:
            continue
        problems = [child.get("message", "") for child in test if child.tag in ("failure", "error")]
        name, _, parameters = test.get("name", "").partition("[")
        sentence = name.removeprefix("test_").replace("_", " ")
        given = f" ({parameters.removesuffix(']')})" if parameters else ""
        module = test.get("classname", "").removeprefix("tests.")
        yield Case.of(f"{module}{given}", sentence, problems)


def to_page(cases: list[tuple[str, Case]]) -> str:
    """The commands with their counts, then one table."""
    counts = Counter(command for command, _ in cases)
    failed = Counter(command for command, case in cases if case.failed)
    numbers = {command: f"{index}" for index, command in enumerate(counts, 1)}
    commands = Table(
        columns=("no.", "command", "cases", "not as promised"),
        rows=tuple(
            (number, f"`{command}`", f"{counts[command]}", f"{failed[command]}")
            for command, number in numbers.items()
        ),
    )
    rows = tuple(
        (numbers[command], plain(case.name), plain(case.expected), plain(case.seen))
        for command, case in cases
    )
    table = Table(columns=("no.", "case", "expected", "seen"), rows=rows)
    whole = f"{len(rows)} cases, {sum(failed.values())} not as promised.\n"
    return "\n".join([ABOUT, whole, to_markdown(commands), to_markdown(table)])


def plain(text: str) -> str:
    """A cell that Markdown shows as it is: a few lines, without the folders of this machine."""
    for folder, name in ((sys.prefix, ".venv"), (str(ROOT), ".")):
        text = text.replace(folder, name)
    text = " ".join("".join(char if char.isprintable() else " " for char in text).split())
    if len(text) > LONGEST:
        text = f"{text[: LONGEST // 3]} … {text[-2 * LONGEST // 3 :]}"
    for char in r"\`*_{}[]<>#$":
        text = text.replace(char, f"\\{char}")
    return text


def main() -> None:
    """Write the page."""
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--kept", type=Path, default=KEPT, help="the folder of what was left")
    parser.add_argument("--page", type=Path, default=PAGE, help="the page that is written")
    args = parser.parse_args()
    cases = list(read_cases(args.kept))
    if not cases:
        sys.exit(f"{args.kept} holds no cases; run a campaign first: make campaign-fuzz")
    args.page.write_text(to_page(cases), encoding="utf-8")
    print(args.page)


if __name__ == "__main__":
    main()
