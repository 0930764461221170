import pytest

from groundrl.metrics import EVALUATION, METRICS, check_names


def test_declared_names_pass() -> None:
    check_names({name.replace("<term>", "iou"): 0.0 for name in METRICS})


def test_a_term_is_one_word() -> None:
    check_names({"reward/noun": 1.0})
    with pytest.raises(KeyError, match="reward/a/b"):
        check_names({"reward/a/b": 1.0})


@pytest.mark.parametrize("name", ["policy/klx", "Policy/kl", "kl", "xlr", "lr/", "tabletop/acc"])
def test_an_undeclared_name_is_our_bug(name: str) -> None:
    with pytest.raises(KeyError, match="undeclared metrics"):
        check_names({"lr": 0.1, name: 1.0})


def test_held_out_metrics_belong_to_a_set() -> None:
    names = {f"street/{name}{end}": 0.0 for name in EVALUATION for end in ("", "_low", "_high")}
    check_names(names, sets=["street"])
    with pytest.raises(KeyError, match="street/accuracy"):
        check_names({"street/accuracy": 0.0}, sets=["street"])


def test_every_name_is_a_path_of_lower_case_words() -> None:
    for name, meaning in METRICS.items():
        assert name.replace("<term>", "x").replace("/", "").replace("_", "").islower()
        assert meaning.endswith(".")
