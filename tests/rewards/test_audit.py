"""Rewards under audit: the shipped options pass, the published variants do not."""

import os
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
from browsing import read
from reward_options import ASKING, READY, SHIPPED, compose_reward

from groundrl.boxes import Frame
from groundrl.errors import UserError
from groundrl.grammar import GRAMMARS, Grammar
from groundrl.launch.commands.audit import main
from groundrl.launch.commands.base import ROOT
from groundrl.report.tables import to_text
from groundrl.rewards.audit.audit import SEARCHED, Audit, audit, measured_aspects
from groundrl.rewards.audit.bank import CaseEntries, make_bank
from groundrl.rewards.audit.cases import make_cases, world_samples
from groundrl.rewards.audit.page import cheat_table, summarize
from groundrl.rewards.base import BatchedTerm, RewardSum, RewardTerm
from groundrl.rewards.terms.acc import Acc
from groundrl.rewards.terms.attribute import Attribute
from groundrl.rewards.terms.format import Format
from groundrl.rewards.terms.iou import Iou
from groundrl.rewards.terms.iou_best import IouBest
from groundrl.rewards.terms.iou_map import IouMap
from groundrl.rewards.terms.iou_mean_over_predictions import IouMeanOverPredictions
from groundrl.rewards.terms.relation import SpatialRelation

GRAMMAR = GRAMMARS["obj_bbox"]
AUDITED = ("obj_bbox", "inline_box", "bbox_2d", "qwen_vl", "internvl")
"""Boxes in pixels, each with its label."""


@cache
def world_bank(grammar: Grammar, size: int) -> list[CaseEntries]:
    return make_bank(make_cases(world_samples(size, seed=0), grammar))


@pytest.fixture
def bank() -> list[CaseEntries]:
    """A sample of every kind of question."""
    return world_bank(GRAMMAR, 16)


def summed(**terms: RewardTerm) -> RewardSum:
    return RewardSum(terms=terms, grammar=GRAMMAR, frame=Frame.PIXEL)


def audited(bank: list[CaseEntries], steps: int = 0, **terms: RewardTerm) -> Audit:
    return audit("test", summed(**terms), bank, steps=steps, seed=0, tolerance=0.001)


@pytest.mark.slow
@pytest.mark.parametrize("option", READY)
@pytest.mark.parametrize(
    ("grammar", "size", "steps"),
    [(GRAMMARS[name], *((16, 40) if GRAMMARS[name] is GRAMMAR else (6, 10))) for name in AUDITED],
    ids=AUDITED,
)
def test_no_cheat_pays_under_a_shipped_reward_but_what_an_ablation_declares(
    option: str, grammar: Grammar, size: int, steps: int
) -> None:
    reward = compose_reward(f"reward={option}", grammar=grammar)
    bank = world_bank(grammar, size)
    found = audit(option, reward, bank, steps=steps, seed=0, tolerance=0.001)
    assert found.undeclared == []
    if found.measured:
        assert any(finding.is_cheat for finding in found.findings)
        assert bool(found.searched) == (found.steps > 0)


@pytest.mark.parametrize("option", READY)
def test_an_option_is_named_after_its_terms(option: str) -> None:
    reward = compose_reward(f"reward={option}")
    assert list(reward.terms) == option.split("+")
    for name, term in reward.terms.items():
        assert type(term).__module__ == f"groundrl.rewards.terms.{name}"
        assert term.weight == 1.0


@pytest.mark.slow
def test_every_term_option_builds_the_term_of_its_name() -> None:
    names = {path.stem for path in (ROOT / "conf/reward/term").glob("*.yaml")}
    for name in sorted(names - ASKING):
        added = f"+reward/term@reward.terms.{name}_again={name}"
        term = compose_reward("reward=acc", added).terms[f"{name}_again"]
        assert type(term).__module__ == f"groundrl.rewards.terms.{name}"
        assert isinstance(term, RewardTerm | BatchedTerm)


def test_terms_are_reweighted_dropped_and_added_on_the_command_line() -> None:
    reward = compose_reward(
        "reward=iou+acc",
        "reward.terms.iou.weight=0.5",
        "~reward.terms.acc",
        "+reward/term@reward.terms.giou=giou",
    )
    assert {name: term.weight for name, term in reward.terms.items()} == {"iou": 0.5, "giou": 1.0}


@pytest.mark.slow
@pytest.mark.parametrize("term", [IouMeanOverPredictions(), IouBest(), IouMap()])
def test_the_published_forms_pay_for_the_cheats_that_their_page_names(
    term: RewardTerm, bank: list[CaseEntries]
) -> None:
    name = type(term).__module__.rpartition(".")[2]
    rows = (ROOT / "docs/rewards.md").read_text().splitlines()
    # The second table with the term: the first one lists all terms.
    _, row = [row for row in rows if row.startswith(f"| `{name}` |")]
    named = set(re.findall("`([^`]+)`", row.split("|")[2]))
    found = audited(bank, steps=60, iou=term)
    assert {*named, SEARCHED} <= set(found.paying)
    assert found.undeclared == []
    assert "as its terms declare" in summarize(found)


@pytest.mark.slow
def test_a_punished_right_answer_makes_silence_pay(bank: list[CaseEntries]) -> None:
    reward = summed(iou=Iou(), acc=Acc(weight=-1.0))
    assert measured_aspects(reward) == {"groundings"}
    assert "answer never closed" not in audited(bank, iou=Iou(), acc=Acc()).paying
    # Boxes of a wrong answer still pay; without a right answer nothing is taken away.
    assert "nothing" in audited(bank, iou=Iou(weight=0.5), acc=Acc(weight=-1.0)).paying


@pytest.mark.slow
def test_a_cheat_counts_only_in_what_the_reward_measures(bank: list[CaseEntries]) -> None:
    findings = audited(bank, acc=Acc()).findings
    counted = {finding.entry.name for finding in findings if finding.is_cheat}
    assert "wrong answer" in counted
    assert "whole image" not in counted
    assert "gold" not in counted


@pytest.mark.slow
def test_words_that_the_image_denies_count_against_terms_that_read_them(
    bank: list[CaseEntries],
) -> None:
    found = audited(bank, attribute=Attribute(), relation=SpatialRelation())
    assert found.measured == {"colors", "relations"}
    counted = {finding.entry.name for finding in found.findings if finding.is_cheat}
    assert {"wrong colours", "wrong relation", "boxes moved to fit"} <= counted
    assert found.paying == []


@pytest.mark.slow
def test_a_term_says_what_it_measures_beyond_what_it_needs(bank: list[CaseEntries]) -> None:
    found = audited(bank, format=Format())
    assert found.measured == {"format"}
    counted = {finding.entry.name for finding in found.findings if finding.is_cheat}
    assert {"nested tags", "chat after the answer"} <= counted
    assert "wrong answer" not in counted


@pytest.mark.slow
def test_the_table_marks_what_pays_and_what_does_not_count(bank: list[CaseEntries]) -> None:
    found = audited(bank, iou=IouBest())
    rows = {line.split("  ")[0]: line for line in to_text(cheat_table(found)).splitlines()}
    assert rows["box spam"].endswith("pays on 16")
    assert "(1.00)" in rows["wrong answer"]
    assert "pays" not in rows["gold"]
    assert "box spam" in summarize(found)


@pytest.mark.slow
def test_the_command_succeeds_for_an_honest_reward_and_writes_a_page(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "audit.html"
    short = ["samples=8", "steps=20", f"page={page}"]
    assert main(["reward=iou+acc", "grammar=inline_box", *short]) == 0
    assert capsys.readouterr().out.endswith(f"cheats that pay: none\n{page}\n")
    assert "box spam" in page.read_text()


@pytest.mark.slow
def test_the_command_fails_when_cheating_pays_and_shows_how(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "audit.html"
    short = ["samples=8", "steps=20", f"page={page}"]
    assert main(["reward=iou", "reward/term@reward.terms.iou=iou_best", *short]) == 0
    assert "pay, as its terms declare" in capsys.readouterr().out
    assert main(["reward=iou", "reward/term@reward.terms.iou=point_in_box", *short]) == 1
    assert "tiny boxes" in capsys.readouterr().out.splitlines()[-2]
    addresses = read(page).addresses
    assert len(addresses) > 3
    assert all(address.startswith("data:image/jpeg") for address in addresses)


@pytest.mark.slow
def test_without_a_choice_every_option_is_audited(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status = main(["samples=4", "steps=5", f"page={tmp_path / 'audit.html'}"])
    lines = capsys.readouterr().out.splitlines()
    assert status == (lines[-2] != "cheats that pay: none")
    audited_or_not = [re.split(": | is left out", line)[0] for line in lines[:-2]]
    assert sorted(audited_or_not) == SHIPPED
    assert "sentence is left out: reward.terms.sentence.model is missing" in "\n".join(lines)


@pytest.mark.slow
def test_options_of_your_own_and_your_own_samples_are_audited(tmp_path: Path) -> None:
    from small_data import yolo

    yolo(tmp_path)
    outside = ROOT / "tests/outside"
    done = subprocess.run(
        [
            *(sys.executable, "-m", "groundrl.rewards.audit", "reward=acc", "steps=20"),
            *("--config-dir", f"{outside}/conf", "+reward/term@reward.terms.short=short"),
            *("data=yolo", f"data.root={tmp_path}", "data.heldout_split=null"),
            f"page={tmp_path}/audit.html",
        ],
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(outside)])},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    # A text of few tokens is worth as much as a right answer that takes more.
    assert done.returncode == 1, done.stderr
    assert "tags only" in done.stdout.splitlines()[-2]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["reward=nope"], "reward has no option 'nope'"),
        (["reward=acc", "grammar=nope"], "grammar=nope is unknown"),
        (["reward=acc", "reward.terms.ac.weight=2"], "did you mean 'reward.terms.acc.weight'"),
        (["reward.terms.acc.weight=2"], "type also reward=<option>"),
        (["reward=acc", "data=yolo"], "data.root is missing"),
    ],
)
def test_a_mistake_in_the_command_is_answered_with_what_to_type(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    assert message in capsys.readouterr().err


def test_an_unknown_option_raises() -> None:
    with pytest.raises(UserError, match="reward has no option 'nope'"):
        compose_reward("reward=nope")
