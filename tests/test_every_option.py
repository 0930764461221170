"""Every option file composes, is sound, and is what its name says."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from groundrl.advantages import Advantage
from groundrl.config.check import check_config
from groundrl.config.overlays import leaves
from groundrl.errors import UserError
from groundrl.launch.resolvers import register_resolvers
from groundrl.losses import PolicyLoss
from groundrl.policy.adapters.adapter import Adapter
from groundrl.rollout.base import Sampling
from groundrl.stages.fitting.optimization import Optimization

ROOT = Path(__file__).parent.parent
CONF = ROOT / "conf"

LAYOUTS = {
    "coco": "CocoLayout",
    "cvat": "CvatLayout",
    "label_studio": "LabelStudioLayout",
    "labelme": "LabelMeLayout",
    "open_images": "OpenImagesLayout",
    "voc": "VocLayout",
    "yolo": "YoloLayout",
}
"""Options of data that read a layout of detection data."""

NEEDED = {
    **{f"data={layout}": ["data.root=photos"] for layout in LAYOUTS},
    "data=labelled_captions": ["data.path=labels.jsonl"],
    "data=jsonl": ["data.path=samples.jsonl"],
    "data=hub": ["data.path=rows.jsonl"],
    "data=parquet": ["data.path=samples.parquet"],
    "data=synthesized": ["data.root=outputs"],
    "judge=openai": ["judge.chat.model=gpt"],
    "judge=vllm": ["judge.chat.model=qwen"],
    "judge=vllm_server": ["judge.chat.model=qwen"],
    **{
        f"detector={kind}": ["detector.vocabulary=[dog]"]
        for kind in ("grounding_dino", "mm_grounding_dino", "owlv2")
    },
    **{
        f"{role}={kind}": [f"{role}.chat.model=qwen"]
        for role in ("teacher", "verifier")
        for kind in ("openai", "transformers", "vllm", "vllm_server")
    },
    **{
        f"reward={name}": ["reward.terms.sentence.model=run/reward_model"]
        for name in ("sentence", "noun+sentence")
    },
    "reward=iou+acc+judged_consistency": ["reward.terms.judged_consistency.judge.chat.model=qwen"],
    "+reward/term@reward.terms.extra=judged_consistency": [
        "reward.terms.extra.judge.chat.model=qwen"
    ],
    "+reward/term@reward.terms.extra=sentence": ["reward.terms.extra.model=run/reward_model"],
    "rollout=vllm_server": ["rollout.urls=[http://localhost:8000]"],
}
"""What an option asks the user for."""

BESIDE = {
    "ablation=published_prompt_tuning": ["adapter=soft_prompt"],
    "benchmark=mmhal": ["judge=openai", "judge.chat.model=gpt"],
    "data=labelled_captions": ["pipeline=[reward_model]"],
    "data=labelled_world_captions": ["pipeline=[reward_model]"],
}
"""Other choices that an option needs."""

SCRIPTS = {
    "benchmark": "evaluate",
    "judge": "evaluate",
    "runner": "evaluate",
    "detector": "synthesize",
    "teacher": "synthesize",
    "verifier": "synthesize",
}
"""Groups that train.py has not, and who has them."""

PLACES = {"reward/term": "+reward/term@reward.terms.extra", "stage": "stage@stage.{option}"}
"""How a group is chosen that is not chosen by its own name."""


def option_files() -> list[Path]:
    """All but those that others are based on."""
    files = CONF.rglob("*.yaml")
    return sorted(file for file in files if file.parent != CONF and file.parent.name != "base")


def overrides(file: Path) -> list[str]:
    """How a user chooses this option, and fills in what it asks for."""
    group, option = file.parent.relative_to(CONF).as_posix(), file.stem
    choice = f"{PLACES.get(group, group).format(option=option)}={option}"
    return [choice, *NEEDED.get(choice, []), *BESIDE.get(choice, [])]


@pytest.fixture(autouse=True)
def _hydra(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("OPENAI_API_KEY", "of a test")
    register_resolvers(ROOT)
    with initialize_config_dir(str(CONF), version_base="1.3"):
        yield


def composed(*lines: str, script: str = "train") -> DictConfig:
    return compose(script, [*lines], return_hydra_config=True)


def plain(*lines: str) -> dict[str, Any]:
    """The application's part of the config, flat, interpolations as they are written."""
    tree = OmegaConf.to_container(compose("train", [*lines]), resolve=False)
    assert isinstance(tree, dict)
    return leaves({str(key): value for key, value in tree.items()})


@pytest.mark.parametrize("script", ["train", "evaluate", "synthesize"])
def test_the_default_config_is_sound(script: str) -> None:
    check_config(composed(script=script))


@pytest.mark.slow
@pytest.mark.parametrize("file", option_files(), ids=lambda file: f"{file.parent.name}={file.stem}")
def test_every_option_is_sound(file: Path) -> None:
    if (file.parent.name, file.stem) == ("trainer", "gpu") and not torch.cuda.is_available():
        with pytest.raises(UserError, match="type trainer=cpu"):
            check_config(composed(*overrides(file)))
        return
    if (file.parent.name, file.stem) == ("rollout", "vllm"):
        pytest.importorskip("vllm", reason="vLLM has no build for this machine")
    if file.parent.name == "launcher" and file.stem != "local":
        pytest.importorskip(f"hydra_plugins.hydra_{file.stem}_launcher")
    script = "evaluate" if file.stem == "frozen" else SCRIPTS.get(file.parent.name, "train")
    check_config(composed(*overrides(file), script=script))


def test_a_frozen_model_is_not_trained() -> None:
    with pytest.raises(UserError, match="adapter=frozen leaves nothing to train"):
        check_config(composed("adapter=frozen"))


def test_a_reward_model_and_labelled_captions_need_each_other() -> None:
    with pytest.raises(UserError, match="learns from labelled captions, and data= has none"):
        check_config(composed("pipeline=[reward_model]"))
    captions = ["data=labelled_captions", "data.path=labels.jsonl"]
    with pytest.raises(UserError, match="which only a reward model learns from"):
        check_config(composed(*captions))
    with pytest.raises(UserError, match="adapter=qlora trains on 4-bit weights"):
        check_config(composed(*captions, "pipeline=[reward_model]", "adapter=qlora"))
    check_config(composed(*captions, "pipeline=[reward_model]", "model=qwen2_5_vl_3b"))


@pytest.mark.parametrize("model", sorted(f.stem for f in (CONF / "model").glob("*.yaml")))
def test_every_model_can_be_evaluated(model: str) -> None:
    cfg = composed(f"model={model}", script="evaluate")
    check_config(cfg)
    assert cfg.sampling.max_tokens == (128 if model == "embedded" else 512)


@pytest.mark.parametrize("script", ["train", "evaluate", "synthesize"])
def test_a_model_brings_the_grammar_of_its_family_unless_one_is_typed(script: str) -> None:
    beside = ["detector=vlm"] if script == "synthesize" else []
    assert composed(*beside, script=script).grammar == "obj_bbox"
    for model, grammar in {"qwen2_vl_2b": "qwen_vl", "gemma3_4b": "box_2d"}.items():
        assert composed(*beside, f"model={model}", script=script).grammar == grammar
    typed = composed(*beside, "model=gemma3_4b", "grammar=inline_box", script=script)
    assert typed.grammar == "inline_box"
    assert "[x1,y1,x2,y2 label]" in typed.model.template.instruction


@pytest.mark.slow
def test_what_is_spelled_out_is_the_default_of_its_class() -> None:
    module = compose(
        "train", ["stage.grpo.module.sampler.sampling.max_tokens=77"]
    ).stage.grpo.module
    sampling = module.sampler.sampling
    assert instantiate(sampling) == Sampling(max_tokens=77)
    assert instantiate(module.advantage) == Advantage()
    assert instantiate(module.loss) == PolicyLoss(max_completion_tokens=77)
    for stage in ("sft", "grpo", "reward_model"):
        cfg = compose("train").stage[stage].module.optimization
        assert instantiate(cfg) == Optimization(lr=cfg.lr, steps=cfg.steps)
    for kind in ("lora", "qlora"):
        assert instantiate(compose("train", [f"adapter={kind}"]).adapter) == Adapter(kind=kind)


@pytest.mark.parametrize("model", sorted(f.stem for f in (CONF / "model").glob("*.yaml")))
def test_every_model_can_detect(model: str) -> None:
    cfg = composed(f"model={model}", script="synthesize")
    check_config(cfg)
    assert cfg.detector.policy == cfg.model


def test_a_detector_without_a_model_has_none_to_choose() -> None:
    assert "model" not in composed("detector=oracle", script="synthesize")


@pytest.mark.slow
def test_options_that_ask_for_something_say_so() -> None:
    for choice, filled in NEEDED.items():
        place, _, key = filled[0].partition("=")[0].rpartition(".")
        script = SCRIPTS.get(place.partition(".")[0], "train")
        node = OmegaConf.select(composed(choice, script=script), place)
        assert OmegaConf.is_missing(node, key)


@pytest.mark.parametrize("file", sorted((CONF / "reward").glob("*.yaml")), ids=lambda f: f.stem)
def test_a_reward_is_the_sum_of_the_terms_in_its_name(file: Path) -> None:
    cfg = composed(f"reward={file.stem}")
    assert list(cfg.reward.terms) == file.stem.split("+")
    for name, term in cfg.reward.terms.items():
        assert term._target_.split(".")[-2] == name
        assert term.weight == 1.0


@pytest.mark.parametrize("file", sorted((CONF / "reward" / "term").glob("*")), ids=lambda f: f.stem)
def test_a_term_lives_in_the_file_of_its_name(file: Path) -> None:
    module = OmegaConf.load(file)._target_.split(".")[-2]
    assert module == file.stem
    assert (ROOT / "src" / "groundrl" / "rewards" / "terms" / f"{module}.py").is_file()


TOLD_BY_NAME = {
    "adapter": "adapter.kind",
    "trainer": "trainer.accelerator",
}
"""Groups whose option's name is the value of a key."""


@pytest.mark.parametrize(
    ("group", "key", "option"),
    [(g, k, f.stem) for g, k in TOLD_BY_NAME.items() for f in sorted((CONF / g).glob("*.yaml"))],
)
def test_an_option_sets_what_it_is_called(group: str, key: str, option: str) -> None:
    assert OmegaConf.select(composed(f"{group}={option}"), key) == option


def test_a_data_layout_reads_the_format_of_its_name() -> None:
    for layout, name in LAYOUTS.items():
        target = composed(f"data={layout}").data.layout._target_
        assert target == f"groundrl.data.detection.{layout}.{name}"


def test_given_boxes_may_have_every_layout_that_training_data_may_have() -> None:
    given = composed("detector=given", "labels=x", script="synthesize").detector.layouts
    assert {name: node._target_.rpartition(".")[2] for name, node in given.items()} == LAYOUTS


@pytest.mark.parametrize(
    "file", sorted((CONF / "model").glob("*.yaml")), ids=lambda file: file.stem
)
def test_a_model_option_loads_the_model_of_its_name(file: Path) -> None:
    def letters(text: str) -> str:
        return "".join(c for c in text.lower() if c.isalnum())

    path = composed(f"model={file.stem}").model.path
    assert letters(path.rpartition("/")[2]).startswith(letters(file.stem))


@pytest.mark.parametrize("file", sorted((CONF / "ablation").glob("*.yaml")), ids=lambda f: f.stem)
def test_an_ablation_sets_the_options_of_its_file_and_nothing_else(file: Path) -> None:
    with_it, without = plain(f"ablation={file.stem}"), plain()
    content = OmegaConf.to_container(OmegaConf.load(file), resolve=False)
    assert isinstance(content, dict)
    said = leaves({str(key): value for key, value in content.items()})
    changed = {k: v for k, v in with_it.items() if k not in without or without[k] != v}
    assert changed == said
    assert changed.keys() <= without.keys()  # a misspelt key would be a new one
