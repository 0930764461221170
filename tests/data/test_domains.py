"""Training in one domain, held-out statements of two."""

from functools import partial

import pytest

from groundrl.data.datasets import SampleList, WorldDataset
from groundrl.data.domains import in_other_words, two_domains
from groundrl.data.module import GroundingDataModule
from groundrl.data.world_statements import WorldStatements, statements_module
from groundrl.errors import UserError
from groundrl.records import Form, Sample


def domain_of(look: str) -> GroundingDataModule:
    reader = partial(WorldStatements, look=look)
    return statements_module(reader=reader, train_size=12, heldout_size=6)


SYNTHETIC, REAL = domain_of("plain"), domain_of("photo")


def trained(module: GroundingDataModule) -> tuple[Sample, ...]:
    assert isinstance(module.train, SampleList)
    return module.train.samples


@pytest.mark.parametrize(
    ("domain", "counts"), [("synthetic", (12, 0)), ("real", (0, 12)), ("mixed", (6, 6))]
)
def test_a_domain_is_trained_on_and_both_are_held_out(domain: str, counts: tuple[int, int]) -> None:
    module = two_domains(synthetic=SYNTHETIC, real=REAL, domain=domain, heldout_size=4)  # type: ignore[arg-type]
    looks = [sample.provenance.split for sample in trained(module)]
    assert (looks.count("tabletop-plain"), looks.count("tabletop-photo")) == counts
    assert {name: len(source) for name, source in module.heldout.items()} == {
        "synthetic": 4,
        "real": 4,
    }
    assert module.form is Form.TRUE_FALSE
    asked = {name: source[0] for name, source in module.heldout.items()}
    assert asked["synthetic"].question == asked["real"].question
    assert asked["synthetic"].image.key != asked["real"].image.key


def test_mixed_domains_do_not_only_show_the_same_statements() -> None:
    module = two_domains(synthetic=SYNTHETIC, real=REAL, domain="mixed")
    assert len({sample.question for sample in trained(module)}) > 6


def test_unmatched_prompts_are_other_words_for_the_same_statement() -> None:
    module = two_domains(synthetic=SYNTHETIC, real=REAL, matched_prompts=False)
    for reworded, sample in zip(trained(module), trained(SYNTHETIC), strict=True):
        statement = sample.question.removeprefix("True or false: ")
        assert reworded.question == f"Is this so? {statement}"
        assert reworded.answers == sample.answers
    assert module.heldout["synthetic"][0].question.startswith("True or false: ")


def test_what_is_no_statement_or_no_list_is_refused() -> None:
    question = WorldDataset(seed=0, size=1, kinds=["count"])[0]
    with pytest.raises(UserError, match=r"type data\.matched_prompts=true"):
        in_other_words(question)
    endless = GroundingDataModule(train=WorldDataset(seed=0, size=5))
    with pytest.raises(UserError, match=r"data\.synthetic draws its samples"):
        two_domains(synthetic=endless, real=REAL)
    with pytest.raises(UserError, match=r"data\.synthetic has 0 held-out sets"):
        two_domains(synthetic=endless, real=REAL, domain="real")
