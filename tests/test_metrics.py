import pytest

from groundrl.losses import LOSS_METRICS
from groundrl.metrics import EVALUATION, check_declared
from groundrl.pretraining.pretrain import PretrainModule
from groundrl.stages.base import Stage
from groundrl.stages.grpo import GRPOModule
from groundrl.stages.reward_model import RewardModelModule
from groundrl.stages.sft import SFTModule

DECLARED = {"lr": "Learning rate.", "reward/<term>": "Mean value.", "policy/kl": "KL."}
STAGES = (SFTModule, GRPOModule, PretrainModule, RewardModelModule)


def test_declared_names_pass() -> None:
    check_declared(["lr", "reward/noun", "policy/kl"], DECLARED, "Toy")


def test_a_term_is_one_word() -> None:
    with pytest.raises(KeyError, match="reward/a/b"):
        check_declared(["reward/noun", "reward/a/b"], DECLARED, "Toy")


@pytest.mark.parametrize("name", ["policy/klx", "Policy/kl", "kl", "xlr", "lr/", "tabletop/acc"])
def test_an_undeclared_name_is_an_error_that_names_the_class(name: str) -> None:
    with pytest.raises(KeyError, match=r"undeclared metrics .*: add them to Toy\.metrics"):
        check_declared(["lr", name], DECLARED, "Toy")


@pytest.mark.parametrize("stage", STAGES)
def test_every_name_of_a_stage_is_a_path_of_lower_case_words(stage: type[Stage]) -> None:
    for name, meaning in stage.metrics.items():
        assert name.replace("<term>", "x").replace("/", "").replace("_", "").islower()
        assert meaning.endswith(".")


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_shows_only_what_it_declares(stage: type[Stage]) -> None:
    check_declared(stage.shown, stage.metrics, stage.__name__)


def test_grpo_declares_what_its_loss_returns() -> None:
    assert GRPOModule.metrics.items() >= LOSS_METRICS.items()


def test_held_out_figures_have_meanings() -> None:
    assert all(meaning.endswith(".") for meaning in EVALUATION.values())
