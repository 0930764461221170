"""The notebooks run as they are, and git has them without outputs."""

import re
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

FOLDER = Path(__file__).parents[1] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
MAX_LINES = 20
"""Of a cell: what needs more belongs into the package."""
SECONDS = 600
"""Until a cell that hangs is ended."""


def name(file: Path) -> str:
    """Of a test."""
    return file.stem


def read(file: Path) -> nbformat.NotebookNode:
    """The notebook, in the form that the standard of its version asks for."""
    notebook = nbformat.read(file, as_version=nbformat.NO_CONVERT)
    nbformat.validate(notebook)
    return notebook


def test_there_are_notebooks() -> None:
    assert len(NOTEBOOKS) == 6


@pytest.mark.parametrize("file", NOTEBOOKS, ids=name)
def test_a_notebook_has_no_outputs(file: Path) -> None:
    notebook = read(file)
    assert set(notebook.metadata) == {"kernelspec", "language_info"}
    assert notebook.metadata.language_info == {"name": "python"}  # and no version
    for cell in notebook.cells:
        assert not cell.metadata
        if cell.cell_type == "code":
            assert cell.outputs == []
            assert cell.execution_count is None


@pytest.mark.parametrize("file", NOTEBOOKS, ids=name)
def test_a_notebook_names_no_place_on_this_machine(file: Path) -> None:
    assert not re.findall(r"[\"' ](?:/(?:home|root|tmp|work|Users)/|~/|[A-Z]:\\)", file.read_text())


@pytest.mark.parametrize("file", NOTEBOOKS, ids=name)
def test_a_notebook_says_how_to_look_at_a_run_of_ones_own(file: Path) -> None:
    title, settings, *_ = read(file).cells
    assert title.source.startswith(f"# {file.stem[0]} · ")
    assert "of your own:**" in title.source
    assert re.search(r"^runs? = None", settings.source, flags=re.MULTILINE)


@pytest.mark.parametrize("file", NOTEBOOKS, ids=name)
def test_the_cells_of_a_notebook_are_short(file: Path) -> None:
    code = [cell.source for cell in read(file).cells if cell.cell_type == "code"]
    lines = [[line for line in one.splitlines() if "import" not in line] for one in code]
    assert max(map(len, lines)) <= MAX_LINES


@pytest.mark.parametrize("file", NOTEBOOKS, ids=name)
def test_every_link_of_a_notebook_leads_to_a_file(file: Path) -> None:
    text = "\n".join(cell.source for cell in read(file).cells if cell.cell_type == "markdown")
    for link in re.findall(r"\]\(([^)#]+)\)", text):
        assert (FOLDER / link).is_file(), link


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the notebooks run, so that one finds the run that another has trained."""
    return tmp_path_factory.mktemp("notebooks")


@pytest.mark.slow
@pytest.mark.parametrize("file", NOTEBOOKS, ids=name)
def test_a_notebook_runs(file: Path, shared: Path) -> None:
    notebook = read(file)
    resources = {"metadata": {"path": str(shared)}}
    NotebookClient(notebook, timeout=SECONDS, resources=resources).execute()
    outputs = [one for cell in notebook.cells for one in cell.get("outputs", ())]
    assert any("image/png" in one.get("data", {}) for one in outputs)
