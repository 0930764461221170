"""The bank: honest completions and cheats about samples of every data option."""

from dataclasses import replace
from pathlib import Path

import pytest
from attempts import box
from small_data import MAKERS

from groundrl.data.datasets import SampleList
from groundrl.grammar import GRAMMARS, Grammar
from groundrl.records import Grounding
from groundrl.rewards.audit.bank import CaseEntries, make_bank
from groundrl.rewards.audit.cases import choose_samples, make_cases, world_samples
from groundrl.rewards.audit.yardstick import IN_WORDS
from groundrl.world.questions import KINDS

GRAMMAR = GRAMMARS["obj_bbox"]
AUDITED = ("obj_bbox", "inline_box", "bbox_2d", "qwen_vl", "internvl")


def check(bank: list[CaseEntries]) -> None:
    """Honest completions are good, and every cheat is worse than all of them."""
    for entries in bank:
        for honest in entries.honest:
            quality = honest.quality
            assert quality["format"] == 1.0, honest
            assert quality.get("answers", 1.0) == 1.0, honest
            assert quality.get("groundings", 1.0) > 0.75, honest
        for cheat in entries.cheats:
            for aspect in cheat.worse_in - IN_WORDS:
                lowest = min(honest.quality[aspect] for honest in entries.honest)
                assert cheat.quality[aspect] < lowest, cheat


def test_the_world_has_samples_of_every_kind_and_about_what_is_absent() -> None:
    samples = world_samples(2 * len(KINDS), seed=1)
    assert {sample.kind for sample in samples} == set(KINDS)
    assert any(not sample.groundings for sample in samples)
    assert len({sample.id for sample in samples}) == len(samples)


@pytest.mark.slow
@pytest.mark.parametrize("grammar", [GRAMMARS[name] for name in AUDITED], ids=AUDITED)
def test_the_bank_knows_many_kinds_of_cheats(grammar: Grammar) -> None:
    samples = world_samples(len(KINDS), seed=1)
    bank = make_bank(make_cases(samples, grammar))
    assert len(bank) == len(samples)
    check(bank)
    names = {entry.name for entries in bank for entry in entries.cheats}
    assert len(names) >= 65
    assert {"box spam", "look-alike letters", "nested tags", "rambling"} <= names


@pytest.mark.slow
@pytest.mark.parametrize("option", MAKERS)
def test_cheats_are_written_about_samples_of_every_data_option(option: str, tmp_path: Path) -> None:
    samples = choose_samples(SampleList(tuple(MAKERS[option](tmp_path))), 8, seed=0)
    assert len({sample.kind for sample in samples}) > 1
    bank = make_bank(make_cases(samples, GRAMMAR))
    assert len(bank) == len(samples)
    check(bank)
    assert len({entry.name for entries in bank for entry in entries.cheats}) >= 40


def test_a_sample_that_the_grammar_cannot_write_is_left_out() -> None:
    sample = next(one for one in world_samples(4, seed=0) if one.groundings)
    broken = replace(sample.groundings[0], label="a [b]")
    odd = replace(sample, groundings=(broken,), rationale=None)
    assert len(make_cases([sample, odd], GRAMMARS["inline_box"])) == 1
    assert len(make_cases([sample, odd], GRAMMARS["obj_bbox"])) == 2


def test_a_cheat_that_happens_to_be_right_is_left_out() -> None:
    # An object that fills the image, under one label, in a question for boxes only.
    sample = next(one for one in world_samples(4, seed=0) if one.groundings)
    whole = box(0, 0, sample.image.width, sample.image.height)
    filled = replace(sample, groundings=(Grounding(label="object", box=whole),), rationale=None)
    (entries,) = make_bank(make_cases([replace(filled, options=(), answers=())], GRAMMAR))
    names = {entry.name for entry in entries.cheats}
    assert {"tiny boxes", "box spam", "every label on every box"} - names == {
        "every label on every box"
    }
    assert not names & {"whole image", "mirrored boxes", "generic labels", "wrong answer"}


def test_samples_are_chosen_of_every_kind_in_turn() -> None:
    samples = SampleList(tuple(world_samples(32, seed=0)))
    chosen = choose_samples(samples, 17, seed=0)
    assert {sample.kind for sample in chosen} == set(KINDS)
    assert chosen == choose_samples(samples, 17, seed=0)
