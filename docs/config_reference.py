"""Writes the page of every option from the files in conf/, so that it cannot be out of date."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sphinx.application import Sphinx

CONF = Path(__file__).parent.parent / "conf"
PAGE = Path(__file__).parent / "config_reference.md"

GROUPS = {
    "model": "Which vision-language model.",
    "adapter": "What of the model learns.",
    "data": "Where training questions come from.",
    "reward": "What a completion is paid for: sums of terms.",
    "reward/term": "One term of a reward.",
    "reward/base": "What the options of `reward` have in common.",
    "recipe": "Everything that a kind of data needs, laid over the chosen config.",
    "ablation": "Published losses, laid over the chosen config.",
    "stage": "The stages of training.",
    "rollout": "Where completions are sampled.",
    "trainer": "The machine.",
    "benchmark": "What `evaluate.py` asks.",
    "judge": "Who judges reasoning and open answers.",
    "detector": "Who finds objects for `synthesize.py`.",
    "nouns": "How the term `noun` finds what a text names.",
    "teacher": "Who writes captions.",
    "verifier": "Who checks captions.",
    "runner": "Where independent tasks are done.",
    "chat/base": "Language models, as judges, teachers and verifiers use them.",
    "model/base": "What the options of `model` have in common.",
    "debug": "Runs of seconds.",
    "launcher": "Where the jobs of a multirun run.",
}
"""Every folder of conf/ that holds options, with what it chooses."""


def split_comment(text: str) -> tuple[str, str]:
    """The comment at the top of a config file, on one line, and the file without it."""
    lines = text.splitlines()
    package = [lines.pop(0)] if lines and lines[0].startswith("# @package") else []
    comment = []
    while lines and lines[0].startswith("#"):
        comment.append(lines.pop(0).removeprefix("#").strip())
    return " ".join(comment), "\n".join([*package, *lines]).strip()


def section(title: str, files: list[Path]) -> str:
    """Each file with its comment and its content."""
    parts = [f"## {title}\n"]
    for file in files:
        text = file.read_text(encoding="utf-8")
        parts.append(f"### `{file.relative_to(CONF).with_suffix('')}`\n")
        comment, body = split_comment(text)
        parts.append(f"{comment}\n")
        parts.append(f"```yaml\n{body}\n```\n")
    return "\n".join(parts)


def page() -> str:
    """The whole page. Raises ValueError for a folder of conf/ that GROUPS does not describe."""
    found = {str(f.parent.relative_to(CONF)) for f in CONF.rglob("*.yaml")} - {"."}
    if found != GROUPS.keys():
        raise ValueError(f"describe these folders of conf/ in GROUPS: {found ^ GROUPS.keys()}")
    parts = [
        "# Config reference\n",
        "Generated from the files in `conf/`. The three scripts and three commands start from the",
        "first six files; every other file is an option, chosen with `<group>=<name>`.\n",
        section("Scripts and commands", sorted(CONF.glob("*.yaml"))),
    ]
    for group, meaning in GROUPS.items():
        parts.append(section(f"`{group}`", sorted((CONF / group).glob("*.yaml"))))
        parts[-1] = parts[-1].replace("\n", f"\n\n{meaning}\n", 1)
    return "\n".join(parts)


def write_page(app: Sphinx) -> None:
    """Write the page where it is new, so that an unchanged one is not built again."""
    text = page()
    if not PAGE.exists() or PAGE.read_text(encoding="utf-8") != text:
        PAGE.write_text(text, encoding="utf-8")


def setup(app: Sphinx) -> dict[str, bool]:
    """Sphinx calls this."""
    app.connect("builder-inited", write_page)
    return {"parallel_read_safe": True}
