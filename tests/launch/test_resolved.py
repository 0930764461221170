"""What a run writes about its config, and how it is compared."""

from pathlib import Path
from typing import Any, ClassVar

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.hydra_config import HydraConfig
from hypothesis import given
from hypothesis import strategies as st
from omegaconf import OmegaConf

from groundrl.errors import UserError
from groundrl.launch.resolved import (
    RESOLVED,
    check_resume,
    chosen_options,
    config_hash,
    save_resolved,
)
from groundrl.launch.resolvers import register_resolvers


class Engine:
    """Of another package."""

    resource_options: ClassVar[frozenset[str]] = frozenset({"memory"})


CONFIG: dict[str, Any] = {
    "seed": 1,
    "output_dir": "runs/a",
    "logger": {"dir": "${output_dir}/tb"},
    "lr": "${seed}",
}


def test_a_saved_config_has_its_interpolations_resolved(tmp_path: Path) -> None:
    save_resolved(OmegaConf.create(CONFIG), tmp_path / "run" / "resolved.yaml")
    assert OmegaConf.load(tmp_path / "run" / "resolved.yaml") == {
        "seed": 1,
        "output_dir": "runs/a",
        "logger": {"dir": "runs/a/tb"},
        "lr": 1,
    }
    assert [file.name for file in (tmp_path / "run").iterdir()] == ["resolved.yaml"]


def test_a_run_resumes_with_its_own_config_in_another_place(tmp_path: Path) -> None:
    save_resolved(OmegaConf.create(CONFIG), tmp_path / "resolved.yaml")
    check_resume(OmegaConf.create({**CONFIG, "output_dir": "b", "resume": "runs/a"}), tmp_path)


def test_resuming_with_another_config_lists_every_difference(tmp_path: Path) -> None:
    save_resolved(OmegaConf.create(CONFIG), tmp_path / "resolved.yaml")
    with pytest.raises(UserError) as raised:
        check_resume(OmegaConf.create({**CONFIG, "lr": 0.5, "extra": {"flag": True}}), tmp_path)
    assert str(raised.value).splitlines()[1:] == [
        "1. extra.flag was nothing and is now True: drop extra.flag",
        "2. lr was 1 and is now 0.5: type lr=1",
    ]


def test_an_option_that_takes_its_value_from_another_is_not_named_beside_it(
    tmp_path: Path,
) -> None:
    save_resolved(OmegaConf.create(CONFIG), tmp_path / "resolved.yaml")
    with pytest.raises(UserError) as raised:
        check_resume(OmegaConf.create({**CONFIG, "seed": 2}), tmp_path)  # and lr is ${seed}
    assert str(raised.value).splitlines()[1:] == ["1. seed was 1 and is now 2: type seed=1"]


def test_a_run_that_was_too_large_resumes_with_less_at_once(tmp_path: Path) -> None:
    native = {"_target_": "groundrl.rollout.native.NativeEngine"}
    own = {"_target_": f"{__name__}.Engine"}
    before = {**CONFIG, "rollout": native | {"tokens_per_batch": 4096}, "concurrency": 64}
    save_resolved(OmegaConf.create(before | {"own": own | {"memory": 1}}), tmp_path / RESOLVED)
    after = {**CONFIG, "rollout": native | {"tokens_per_batch": 512}, "concurrency": 8}
    check_resume(OmegaConf.create(after | {"own": own | {"memory": 2}}), tmp_path)


def test_an_option_of_any_name_is_compared_unless_its_class_declares_it_free(
    tmp_path: Path,
) -> None:
    """A reward's own ``budget`` or ``timeout`` is no limit of a server."""
    length = {"_target_": "groundrl.rewards.length.Length", "budget": 96}
    before = {**CONFIG, "reward": length, "own": {"_target_": f"{__name__}.Engine", "timeout": 1}}
    save_resolved(OmegaConf.create(before), tmp_path / RESOLVED)
    after = {**before, "reward": length | {"budget": 48}, "own": before["own"] | {"timeout": 2}}
    with pytest.raises(UserError) as raised:
        check_resume(OmegaConf.create(after), tmp_path)
    assert str(raised.value).splitlines()[1:] == [
        "1. own.timeout was 1 and is now 2: type own.timeout=1",
        "2. reward.budget was 96 and is now 48: type reward.budget=96",
    ]


def test_a_folder_without_a_run_cannot_be_resumed(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"has no resolved\.yaml"):
        check_resume(OmegaConf.create(CONFIG), tmp_path)


values = st.recursive(
    st.integers() | st.booleans() | st.none() | st.text("abc"),
    lambda inner: st.dictionaries(st.text("xyz", min_size=1), inner, max_size=3),
)


@pytest.mark.slow
@given(st.dictionaries(st.sampled_from("abcd"), values, min_size=2))
def test_a_hash_does_not_depend_on_the_order_of_keys(config: dict[str, Any]) -> None:
    backwards = OmegaConf.create({key: config[key] for key in reversed(config)})
    keys = list(config)
    assert config_hash(OmegaConf.create(config), keys) == config_hash(backwards, keys[::-1])


def test_a_hash_sees_the_named_keys_and_no_others() -> None:
    one = OmegaConf.create({"stage": {"sft": {"lr": 1}}, "reward": "iou"})
    other = OmegaConf.create({"stage": {"sft": {"lr": 1}}, "reward": "acc"})
    assert config_hash(one, ["stage.sft"]) == config_hash(other, ["stage.sft"])
    assert config_hash(one, ["stage", "reward"]) != config_hash(other, ["stage", "reward"])
    with pytest.raises(KeyError):
        config_hash(one, ["stage.grpo"])


def test_runs_are_told_apart_by_what_was_chosen_and_typed(monkeypatch: pytest.MonkeyPatch) -> None:
    root = Path(__file__).parents[2]
    register_resolvers(root)
    typed = ["reward=acc", "seed=3", "stage.grpo.steps=7", "output_dir=x", "sweep.confirm=true"]
    with initialize_config_dir(str(root / "conf"), version_base="1.3"):
        cfg = compose("train", typed, return_hydra_config=True)
    assert chosen_options(cfg) == {"seed": 3}
    monkeypatch.setattr(HydraConfig.instance(), "cfg", None)
    HydraConfig.instance().set_config(cfg)
    assert chosen_options(cfg) == {
        "seed": 3,
        "adapter": "lora",
        "data": "world",
        "reward": "acc",
        "rollout": "native",
        "model": "embedded",
        "trainer": "cpu",
        "stage.grpo.steps": 7,
    }
