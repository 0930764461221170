from dataclasses import replace

import pytest

from groundrl.boxes import Frame
from groundrl.errors import UserError
from groundrl.grammar import GRAMMARS, Grammar
from groundrl.rewards.acc import Acc
from groundrl.rewards.audit import (
    Finding,
    audit,
    compose_reward,
    main,
    measured_aspects,
    shipped_options,
    table,
)
from groundrl.rewards.base import RewardSum, RewardTerm
from groundrl.rewards.cheats import SAMPLES, make_bank
from groundrl.rewards.iou import Iou
from groundrl.rewards.iou_best import IouBest
from groundrl.rewards.iou_mean_over_predictions import IouMeanOverPredictions

GRAMMAR = GRAMMARS["obj_bbox"]


def summed(**terms: RewardTerm) -> RewardSum:
    return RewardSum(terms=terms, grammar=GRAMMAR, frame=Frame.PIXEL)


def paying(findings: list[Finding]) -> set[str]:
    return {finding.entry.name for finding in findings if finding.pays}


@pytest.mark.slow
@pytest.mark.parametrize("option", shipped_options())
@pytest.mark.parametrize("grammar", GRAMMARS.values(), ids=GRAMMARS.keys())
def test_no_cheat_pays_under_a_shipped_reward(option: str, grammar: Grammar) -> None:
    findings = audit(compose_reward([f"reward={option}"], grammar))
    assert paying(findings) == set()
    assert any(finding.is_cheat for finding in findings)


@pytest.mark.parametrize("option", shipped_options())
def test_an_option_is_named_after_its_terms(option: str) -> None:
    reward = compose_reward([f"reward={option}"], GRAMMAR)
    assert list(reward.terms) == option.split("+")
    for name, term in reward.terms.items():
        assert type(term).__module__ == f"groundrl.rewards.{name}"
        assert term.weight == 1.0


@pytest.mark.slow
def test_every_term_option_builds_the_term_of_its_name() -> None:
    from groundrl.rewards.audit import CONF

    names = sorted(path.stem for path in (CONF / "reward" / "term").glob("*.yaml"))
    assert len(names) == 10
    for name in names:
        added = f"+reward/term@reward.terms.{name}_again={name}"
        term = compose_reward(["reward=acc", added], GRAMMAR).terms[f"{name}_again"]
        assert type(term).__module__ == f"groundrl.rewards.{name}"
        assert isinstance(term, RewardTerm)


def test_terms_are_reweighted_dropped_and_added_on_the_command_line() -> None:
    reward = compose_reward(
        [
            "reward=iou+acc",
            "reward.terms.iou.weight=0.5",
            "~reward.terms.acc",
            "+reward/term@reward.terms.length=length",
        ],
        GRAMMAR,
    )
    assert {name: term.weight for name, term in reward.terms.items()} == {"iou": 0.5, "length": 1.0}


@pytest.mark.slow
def test_the_mean_over_predictions_pays_for_one_easy_box() -> None:
    names = paying(audit(summed(iou=IouMeanOverPredictions())))
    assert {"one easy box", "every box twice"} <= names


@pytest.mark.slow
def test_best_iou_pays_for_spam() -> None:
    assert {"box spam", "whole image besides"} <= paying(audit(summed(iou=IouBest())))


@pytest.mark.slow
def test_a_punished_right_answer_makes_silence_pay() -> None:
    reward = summed(iou=Iou(), acc=Acc(weight=-1.0))
    assert measured_aspects(reward) == {"groundings"}
    assert "nothing" in paying(audit(reward))


@pytest.mark.slow
def test_a_cheat_counts_only_in_what_the_reward_measures() -> None:
    findings = audit(summed(acc=Acc()))
    counted = {finding.entry.name for finding in findings if finding.is_cheat}
    assert "wrong option" in counted
    assert "whole image" not in counted
    assert "gold" not in counted


@pytest.mark.parametrize("grammar", GRAMMARS.values(), ids=GRAMMARS.keys())
def test_texts_of_the_bank_are_well_formed_or_broken_as_listed(grammar: Grammar) -> None:
    reward = RewardSum(terms={}, grammar=grammar, frame=Frame.PIXEL)
    texts = set()
    for entry in make_bank(grammar):
        parsed = reward.grammar.parse(entry.text, Frame.PIXEL)
        broken = "format" in entry.worse_in and entry.name not in (
            "answer without looking",  # well-formed, but it points at nothing
        )
        assert parsed.well_formed is not broken, entry.name
        texts.add((entry.sample.id, entry.text))
    assert len(texts) == len(make_bank(grammar))
    assert {sample_id for sample_id, _ in texts} == {sample.id for sample in SAMPLES}


@pytest.mark.slow
def test_a_frame_without_pixels_is_audited_all_the_same() -> None:
    reward = replace(summed(iou=Iou()), frame=Frame.UNIT)
    assert paying(audit(reward)) == set()


@pytest.mark.slow
def test_the_table_marks_cheats_that_pay_and_those_that_do_not_count() -> None:
    rows = {line.split("  ")[0]: line for line in table(audit(summed(iou=IouBest()))).splitlines()}
    assert rows["box spam"].count("1.00!") == 2
    assert "(1.00)" in rows["wrong option"]
    assert "!" not in rows["gold"]


@pytest.mark.slow
def test_the_command_succeeds_for_an_honest_reward(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["reward=iou+acc", "grammar=inline_box"]) == 0
    assert capsys.readouterr().out.endswith("cheats that pay: none\n")


@pytest.mark.slow
def test_the_command_fails_when_cheating_pays(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["reward=iou", "reward/term@reward.terms.iou=iou_best"]) == 1
    assert "box spam" in capsys.readouterr().out.splitlines()[-1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["reward=nope"], "choose reward= from acc, acc+format, iou, iou+acc, iou+acc+format"),
        (["reward=acc", "grammar=nope"], "unknown grammar 'nope'"),
        (["reward=acc", "reward.terms.ac.weight=2"], "cannot be composed"),
    ],
)
def test_a_mistake_in_the_command_is_answered_with_the_choices(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    assert message in capsys.readouterr().err


def test_an_unknown_option_raises() -> None:
    with pytest.raises(UserError, match="there is no reward=nope"):
        compose_reward(["reward=nope"], GRAMMAR)
