"""The commands on the pages can be typed, and what the pages show is true."""

import json
import re
import runpy
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from scripts import run_python

from groundrl.config.check import check_config
from groundrl.convert.__main__ import USAGE as CONVERT
from groundrl.data.rows import SampleRow
from groundrl.files import write_json
from groundrl.json_rows import validate
from groundrl.launch.commands import audit
from groundrl.launch.commands.ask import split_words
from groundrl.launch.commands.export import USAGE as EXPORT
from groundrl.launch.resolvers import register_resolvers
from groundrl.rewards.function import Function
from groundrl.studies.report import report_sweep

ROOT = Path(__file__).parents[1]
PAGES = {
    str(file.relative_to(ROOT)): file.read_text(encoding="utf-8")
    for file in (
        ROOT / "README.md",
        ROOT / "CONTRIBUTING.md",
        *sorted((ROOT / "docs").glob("*.md")),
        *sorted((ROOT / "docs" / "studies").glob("*.md")),
        *sorted((ROOT / "docs" / "results").glob("*.md")),
    )
    if file.name != "config_reference.md"  # generated
}
TEXT = "\n".join(PAGES.values())
TRAIN, EVALUATE = "python train.py", "python evaluate.py"
SYNTHESIZE = "python synthesize.py"
FILL = ROOT / "benchmarks" / "results_table.py"


def blocks(language: str, text: str = TEXT) -> list[str]:
    """The fenced blocks of one language."""
    fenced = re.findall(r"^```(\w*)\n(.*?)^```$", text, flags=re.DOTALL | re.MULTILINE)
    return [text for name, text in fenced if name == language]


def sentences(page: str) -> str:
    """What stands outside of the fenced blocks; a longer fence may hold shorter ones."""
    return re.sub(r"^(```+).*?^\1$", "", PAGES[page], flags=re.DOTALL | re.MULTILINE)


def commands(script: str = TRAIN) -> list[list[str]]:
    """The words behind ``script``, without comments and environment variables."""
    whole = [block.replace("\\\n", "") for block in blocks("sh")]
    lines = [line for block in whole for line in block.splitlines() if script in line]
    found = [shlex.split(line.partition(script)[2], comments=True) for line in lines]
    return [list(words) for words in dict.fromkeys(map(tuple, found))]


def one_job(words: list[str]) -> list[str]:
    """A multirun's first job."""
    parsed = OverridesParser.create().parse_overrides([word for word in words if word != "-m"])
    return [
        f"{override.key_or_group}={override.sweep_string_iterator().__next__()}"
        if override.is_sweep_override()
        else str(override.input_line)
        for override in parsed
    ]


def with_adapter(words: list[str], adapter: str) -> list[str]:
    return [adapter if word.startswith("adapter.path=") else word for word in words]


@pytest.fixture
def adapter(tmp_path: Path) -> str:
    """What stands for the adapter of a page: the check looks at the names of its files."""
    for name in ("adapter_config.json", "adapter_model.safetensors"):
        (tmp_path / name).touch()
    return f"adapter.path={tmp_path}"


@pytest.fixture
def _hydra() -> Iterator[None]:
    register_resolvers(ROOT)
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        yield


def test_the_pages_show_many_commands() -> None:
    assert len(commands()) > 20


@pytest.mark.usefixtures("_hydra")
@pytest.mark.parametrize("words", commands(), ids=" ".join)
def test_a_training_command_of_the_pages_passes_the_check(words: list[str], adapter: str) -> None:
    # A line for a GPU machine is read on one without.
    overrides = [*with_adapter(one_job(words), adapter), "trainer.accelerator=cpu"]
    check_config(compose("train", overrides, return_hydra_config=True))


@pytest.mark.usefixtures("_hydra")
@pytest.mark.parametrize("words", commands(EVALUATE), ids=" ".join)
def test_an_evaluation_command_of_the_pages_passes_the_check(
    words: list[str], adapter: str
) -> None:
    overrides = [*with_adapter(words, adapter), "trainer.accelerator=cpu"]
    check_config(compose("evaluate", overrides, return_hydra_config=True))


@pytest.mark.usefixtures("_hydra")
@pytest.mark.parametrize("words", commands(SYNTHESIZE), ids=" ".join)
def test_a_synthesis_command_of_the_pages_passes_the_check(words: list[str]) -> None:
    check_config(compose("synthesize", words, return_hydra_config=True))


@pytest.mark.usefixtures("_hydra")
@pytest.mark.parametrize("words", commands("python -m groundrl.ask"), ids=" ".join)
def test_a_question_of_the_pages_can_be_asked(words: list[str]) -> None:
    overrides, paths, _ = split_words(words, None)
    assert paths
    check_config(compose("ask", [*overrides, "trainer.accelerator=cpu"]))


KEY = r"\+?[a-z_]+(\.[a-z_]+)*=\S+"
CONTEXTS = {
    "train": [
        [],
        ["model=qwen2_5_vl_3b"],
        ["rollout=vllm_server", "rollout.urls=[http://localhost:8000]"],
        ["data=synthesized", "data.root=outputs"],
        *([f"data={name}"] for name in ("vsr", "spatialsense", "rel3d", "drivingvqa")),
        ["data=yolo", "data.root=photos"],
        ["data=labelled_world_captions"],
        ["data=rel3d_to_spatialsense"],
        ["data=world_statements"],
        ["sweeps=synthetic_to_real"],
        ["data=hub", "data.path=rows.jsonl"],
    ],
    "evaluate": [[], ["judge=openai"], ["runner=ray"]],
    "synthesize": [[], ["teacher=openai"], ["verifier=vllm_server"], ["runner=ray"]],
}
"""Choices beside which a sentence may name a key."""


def options_in_sentences() -> list[list[str]]:
    """Options within sentences. Pages are read one by one: a single backtick too many shifts the
    pairs of those that follow."""
    found = [span for page in PAGES for span in re.findall(r"`([^`]+)`", sentences(page))]
    spans = [re.sub(r"<[^>]*>", "any", span).split() for span in found]
    options = [words for words in spans if all(re.fullmatch(KEY, word) for word in words)]
    return [list(words) for words in dict.fromkeys(map(tuple, options))]


def composes(script: str, words: list[str]) -> bool:
    """Whether Hydra accepts ``words``."""
    try:
        compose(script, words)
    except HydraException:
        return False
    return True


def is_of_another_command(words: list[str]) -> bool:
    """Whether the usage of a command without Hydra names all ``words``."""
    names = [f"{word.partition('=')[0]}=" for word in words]
    return any(all(name in usage for name in names) for usage in (CONVERT, EXPORT))


def test_the_sentences_name_many_options() -> None:
    assert len(options_in_sentences()) > 100


@pytest.mark.slow
@pytest.mark.usefixtures("_hydra")
@pytest.mark.parametrize("words", options_in_sentences(), ids=" ".join)
def test_an_option_in_a_sentence_can_be_typed(words: list[str]) -> None:
    assert is_of_another_command(words) or any(
        composes(script, [*context, *words])
        for script, contexts in CONTEXTS.items()
        for context in contexts
    )


def test_every_benchmark_stands_on_its_page() -> None:
    for file in (ROOT / "conf/benchmark").glob("*.yaml"):
        assert f"`{file.stem}`" in PAGES["docs/evaluation.md"], file.stem


def test_the_sample_of_own_data_is_a_row_of_our_schema() -> None:
    (block,) = blocks("json", PAGES["docs/own_data.md"])
    row = validate(SampleRow, json.loads(block))
    assert row.answers == ("cat",)
    assert row.rationale is not None
    assert row.rationale[1].piece() == row.groundings[0].grounding()


def test_the_reward_function_of_the_pages_can_be_plugged_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (block,) = blocks("python", PAGES["docs/rewards.md"])
    (tmp_path / "my_rewards.py").write_text(block)
    monkeypatch.syspath_prepend(tmp_path)
    function = Function(path="my_rewards.brevity").function
    assert function(completions=["short", "x" * 400], prompts=["", ""]) == [1.0, 0.0]


@pytest.mark.slow
def test_the_program_of_the_grpo_page_runs(capsys: pytest.CaptureFixture[str]) -> None:
    program = "\n".join(blocks("python", PAGES["docs/one_grpo_step.md"]))
    found: dict[str, Any] = {}
    exec(compile(program, "docs/one_grpo_step.md", "exec"), found)
    assert found["rewards"].shape == (2, 4)
    assert any(parameter.grad.abs().sum() > 0 for parameter in found["learning"])
    assert "Where is the bottle?" in capsys.readouterr().out


@pytest.mark.parametrize("page", PAGES)
def test_every_file_that_a_page_includes_exists(page: str) -> None:
    for file in re.findall(r"^:::\{literalinclude\} (\S+)$", PAGES[page], flags=re.MULTILINE):
        assert ((ROOT / page).parent / file).is_file(), file


@pytest.mark.slow
def test_the_audit_of_the_pages_finds_no_cheat_that_pays(tmp_path: Path) -> None:
    assert "python -m groundrl.rewards.audit reward=iou+acc" in TEXT
    assert audit.main(["reward=iou+acc", f"page={tmp_path / 'audit.html'}"]) == 0


def test_every_reward_term_stands_on_its_page() -> None:
    for file in (ROOT / "conf/reward/term").glob("*.yaml"):
        assert f"`{file.stem}`" in PAGES["docs/rewards.md"], file.stem


@pytest.mark.parametrize("page", PAGES)
def test_every_link_leads_to_a_file(page: str) -> None:
    for link in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", sentences(page)):
        if not link.startswith("http"):
            assert ((ROOT / page).parent / link).is_file(), link


def test_the_readme_is_short_and_its_tree_exists() -> None:
    readme = PAGES["README.md"]
    assert len(readme.splitlines()) <= 150
    tree = next(block for block in blocks("", readme) if "src/groundrl/\n" in block)
    below = ROOT
    for line in tree.splitlines():
        # The phrase stands behind two blanks or more.
        for name in re.split(r"\s{3,}", line.strip())[0].split():
            path = (below if line.startswith(" ") else ROOT) / name
            assert path.exists(), name
            if not line.startswith(" "):
                below = path


@pytest.mark.slow
def test_the_tables_of_a_sweep_become_a_page_of_results(tmp_path: Path) -> None:
    sweep = tmp_path / "losses"
    run = sweep / "loss=grpo" / "seed=0"
    run.mkdir(parents=True)
    stage = {"t/acc": 0.5, "t/acc_low": 0.4, "t/acc_high": 0.6, "t/n": 9}
    write_json(run / "metrics.json", {"grpo": stage, "time": {"train_grpo": 120}})
    command = [FILL, sweep, "--pages", tmp_path, "--out", tmp_path / "figures.json"]
    missing = run_python(*command)
    assert "table.md is missing: type the command of the sweep again" in missing.stderr
    report_sweep(sweep, {}, (), width=100)
    assert run_python(*command).returncode == 0
    text = (tmp_path / "losses.md").read_text()
    assert "`python train.py -m sweeps=losses`: 1 jobs, 2 min 00 s together" in text
    assert "| loss=grpo | 1 | 0.500 |" in text
    figures = json.loads((tmp_path / "figures.json").read_text())
    assert figures[str(sweep)]["loss=grpo/seed=0"]["t/acc"] == 0.5


def test_the_page_of_options_shows_every_file_of_conf() -> None:
    page = runpy.run_path(str(ROOT / "docs" / "config_reference.py"))["page"]()
    for file in (ROOT / "conf").rglob("*.yaml"):
        assert f"### `{file.relative_to(ROOT / 'conf').with_suffix('')}`" in page
