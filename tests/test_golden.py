"""Questions and samples of fixed seeds are what they were.

``WRITE_GOLDEN=1 pytest tests/test_golden.py`` writes the files anew; their diff shows what a change
did.
"""

import os
from pathlib import Path

import pytest
from golden_records import LINES

FOLDER = Path(__file__).parent / "golden"


@pytest.mark.slow
@pytest.mark.parametrize("name", LINES)
def test_questions_of_fixed_seeds_are_what_they_were(name: str) -> None:
    lines, file = LINES[name](), FOLDER / f"{name}.txt"
    if os.environ.get("WRITE_GOLDEN"):
        file.write_text("\n".join(lines) + "\n")
    assert lines == file.read_text().splitlines()
