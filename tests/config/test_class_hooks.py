"""Classes report what is wrong with their own options, whichever package they come from."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import pytest
from config_problems import problems
from omegaconf import OmegaConf

from groundrl.config.check import check_config
from groundrl.config_node import ConfigNode, config_hooks

HERE = __name__


@dataclass(frozen=True, kw_only=True)
class Detector:
    """As another package may define it."""

    supplied_arguments: ClassVar[frozenset[str]] = frozenset({"device"})

    device: str
    threshold: float = 0.5

    @classmethod
    def config_problems(cls, node: ConfigNode) -> Iterator[str]:
        if node.options.get("threshold", 0.5) > node.value("limits.threshold"):
            yield f"{node.path}.threshold is too high"
        if node.targets.get("judge") is not Judge:
            yield f"{node.path} needs Judge"


class Judge: ...


def too_few(node: ConfigNode) -> Iterator[str]:
    yield from (f"{path}={size} is too small" for path, size in node.named("size") if size < 2)


@config_hooks(problems=too_few)
def load(size: int) -> None: ...


def config(**detector: Any) -> dict[str, Any]:
    return {
        "limits": {"threshold": 0.8},
        "detector": {"_target_": f"{HERE}.Detector", **detector},
        "judge": {"_target_": f"{HERE}.Judge"},
    }


def test_a_class_of_another_package_reports_its_own_problems() -> None:
    check_config(OmegaConf.create(config()))
    assert problems(config(threshold=0.9)) == ["detector.threshold is too high"]
    assert problems(config() | {"judge": {}}) == ["detector needs Judge"]


def test_a_class_is_asked_only_when_its_arguments_fit_its_signature() -> None:
    (problem,) = problems(config(threshold="high"))
    assert problem.startswith("detector.threshold is 'high', expected a number")


def test_an_argument_that_the_code_supplies_may_be_missing() -> None:
    check_config(OmegaConf.create(config(device="???")))


def test_a_function_reports_problems_of_the_whole_config() -> None:
    tree = {"a": {"_target_": f"{HERE}.load", "size": 1}, "b": [{"size": 0}, {"size": 2}]}
    assert problems(tree) == ["a.size=1 is too small", "b.0.size=0 is too small"]


# ----------------------------------------------------------------------------- classes of groundrl

ADAPTER = "groundrl.policy.adapters.adapter.Adapter"
VLLM = {"_target_": "groundrl.rollout.vllm.VLLMEngine"}
SERVERS = {
    "_target_": "groundrl.rollout.vllm_server.VLLMServers",
    "urls": [],
    "adapter_folder": "a",
}
LOSS = {"_target_": "groundrl.losses.PolicyLoss"}
RUNNER = {"_target_": "groundrl.running.task_runner.RayRunner"}
GRPO = {"pipeline": ["grpo"], "stage": {"grpo": {"module": {"loss": LOSS}}}}
UNCORRECTED = "type stage.grpo.module.loss.importance_cap=2.0"


def model(**options: Any) -> dict[str, Any]:
    return {"_target_": "groundrl.policy.load.load_policy", "_partial_": True, **options}


@pytest.mark.parametrize(
    ("tree", "problem"),
    [
        (
            {"model": model(attention="flex_attention"), "trainer": {"accelerator": "cpu"}},
            "needs a GPU: type model.attention=sdpa",
        ),
        (
            {"model": model(attention="flash_attention_2", prefix_sharing=False)},
            "needs flash-attn, which is not installed",
        ),
        (
            {"rollout": SERVERS, "adapter": {"_target_": ADAPTER, "kind": "none"}},
            "adapter=none has none: type adapter=lora",
        ),
        (
            {"rollout": SERVERS, "adapter": {"_target_": ADAPTER, "vision": "lora"}},
            "type rollout=native or adapter.vision=frozen",
        ),
        (
            {"adapter": {"_target_": ADAPTER, "kind": "none", "vision": "lora"}},
            "type adapter.vision=full, or adapter=lora",
        ),
        (
            {"adapter": {"_target_": ADAPTER, "kind": "qlora", "vision": "full"}},
            "type adapter.vision=lora, or adapter=none",
        ),
        (
            {"rollout": SERVERS, "adapter": {"_target_": ADAPTER, "kind": "soft_prompt"}},
            "vLLM serves no soft prompts: type adapter=lora or rollout=native",
        ),
        (
            {
                "adapter": {"_target_": ADAPTER, "kind": "lora"},
                "module": {
                    "_target_": "groundrl.stages.published_prompt_tuning.PublishedPromptTuning",
                    "_partial_": True,
                },
            },
            "is about soft prompts: type adapter=soft_prompt",
        ),
        (GRPO | {"rollout": SERVERS | {"prefetch": 1}}, f"{UNCORRECTED}, or rollout.prefetch=0"),
        (
            GRPO | {"rollout": SERVERS, "adapter": {"_target_": ADAPTER, "kind": "qlora"}},
            f"{UNCORRECTED}, or rollout=native",
        ),
        (
            {"rollout": SERVERS | {"prefetch": 2}},
            "rollout.prefetch is 2, expected one of 0, 1",
        ),
        (
            {
                "runner": RUNNER,
                "teacher": {"chat": {"spending": {"price": {"prompt": 2.5}, "budget": 5.0}}},
            },
            "type teacher.chat.spending.budget=null, or runner=local",
        ),
        (
            {"x": {"_target_": "groundrl.rollout.base.Sampling", "top_p": 2.0}},
            "type for example x.top_p=1.0",
        ),
        (
            {
                "pipeline": ["sft"],
                "stage": {"sft": {}},
                "adapter": {"_target_": ADAPTER, "kind": "frozen"},
            },
            "adapter=frozen leaves nothing to train: type adapter=lora",
        ),
    ],
)
def test_a_choice_that_nothing_can_run_is_reported(tree: dict[str, Any], problem: str) -> None:
    (reported,) = problems(tree)
    assert problem in reported


def test_an_engine_that_samples_ahead_is_fine_where_a_ratio_corrects_it() -> None:
    loss = {"loss": LOSS | {"importance_cap": 2.0}}
    tree = GRPO | {"stage": {"grpo": {"module": loss}}, "rollout": SERVERS | {"prefetch": 1}}
    check_config(OmegaConf.create(tree))
    check_config(OmegaConf.create(tree | {"pipeline": ["sft"], "stage": {"sft": {}}}))


def test_a_group_of_one_is_reported() -> None:
    module = {
        "_target_": "groundrl.stages.grpo.GRPOModule",
        "_partial_": True,
        "sampler": {"_target_": "builtins.dict", "group_size": 1},
    }
    (problem,) = problems({"module": module})
    assert problem.startswith("module.sampler.group_size is 1, but advantages compare")


def test_a_cut_distribution_with_an_importance_correction_names_both_options() -> None:
    sampling = {"top_p": 0.9, "top_k": 50, "min_p": 0.1}
    cut, count, share = problems({"s": sampling, "loss": LOSS | {"importance_cap": 2.0}})
    assert cut.endswith("type s.top_p=1.0, or loss.importance_cap=null")
    assert count.endswith("type s.top_k=0, or loss.importance_cap=null")
    assert share.endswith("type s.min_p=0.0, or loss.importance_cap=null")
    check_config(OmegaConf.create({"s": sampling, "loss": LOSS | {"importance_cap": None}}))


def test_workers_of_a_cluster_may_be_paid_without_a_budget() -> None:
    spending = {"price": {"prompt": 2.5, "completion": 10.0}, "budget": None}
    check_config(OmegaConf.create({"runner": RUNNER, "teacher": {"chat": {"spending": spending}}}))


def test_a_rank_that_vllm_has_no_room_for_is_reported() -> None:
    pytest.importorskip("vllm", reason="vLLM has no build for this machine")
    assert problems({"rollout": VLLM, "adapter": {"rank": 600}}) == [
        "adapter.rank=600 is more than vLLM makes room for: type adapter.rank=512 or less, or "
        "rollout=native"
    ]
    check_config(OmegaConf.create({"rollout": VLLM, "adapter": {"rank": 512}}))


def test_a_library_that_is_not_installed_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    for library, tree in (("vllm", {"rollout": VLLM}), ("ray", {"runner": RUNNER})):
        monkeypatch.setitem(sys.modules, library, None)
        (problem,) = problems(tree)
        assert "which is not installed: type pip install" in problem


def test_a_compiler_that_is_not_there_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("CXX", raising=False)
    native = {"_target_": "groundrl.rollout.native.NativeEngine", "compile": True}
    (problem,) = problems({"rollout": native})
    assert problem.endswith("install one, or type rollout.compile=false")


def test_flash_attention_shares_no_prefixes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("groundrl.policy.load.find_spec", lambda name: True)
    (problem,) = problems({"model": model(attention="flash_attention_2")})
    assert "type model.prefix_sharing=false, or model.attention=flex_attention" in problem


def test_an_answer_that_must_be_rated_needs_a_judge_that_can() -> None:
    benchmark = {"m": {"_target_": "groundrl.evaluation.benchmarks.mmhal.MMHal", "root": "x"}}
    rules = {"_target_": "groundrl.evaluation.judging.alignment.RuleJudge"}
    for tree in ({"benchmark": benchmark}, {"benchmark": benchmark, "judge": rules}):
        (problem,) = problems(tree)
        assert problem.startswith("the answers to m are rated by a language model")


def test_numbers_below_their_least_value_are_reported() -> None:
    config = {
        "adapter": {"_target_": "groundrl.policy.adapters.adapter.Adapter", "rank": 0},
        "pope": {"_target_": "groundrl.evaluation.benchmarks.world.WorldREC", "size": -3},
        "adam": {
            "_target_": "groundrl.stages.fitting.optimization.Optimization",
            "steps": 1,
            "lr": -1.0,
        },
    }
    assert problems(config) == [
        "adapter.rank=0 is too small: type adapter.rank=1, or more",
        "pope.size=-3 is too small: type pope.size=1, or more",
        "adam.lr=-1.0 is too small: type adam.lr=0, or more",
    ]
