"""A class of models that groundrl has no facts about: one Python file and one YAML file add it."""

from pathlib import Path

import pytest
import torch
from family_parts import WIDTH, chat_template, text_config, token_id, tokenizer
from hydra.utils import instantiate
from omegaconf import OmegaConf
from own_inputs import own_inputs
from transformers import (
    CLIPImageProcessor,
    LlavaProcessor,
    VipLlavaConfig,
    VipLlavaForConditionalGeneration,
)
from world_questions import world_samples

from groundrl.config.check import check_config
from groundrl.policy.family import ModelFamily
from groundrl.policy.policy import Policy
from groundrl.policy.shared_prefix.layout import Branch

CONF = Path(__file__).parents[1] / "outside" / "conf" / "model" / "vip_llava.yaml"


@pytest.fixture
def config(tmp_path: Path) -> dict:
    """The lab's YAML file with a tiny checkpoint."""
    words = tokenizer("<image>")
    tower = {"hidden_size": WIDTH, "intermediate_size": 96, "num_hidden_layers": 2}
    torch.manual_seed(0)
    vlm = VipLlavaForConditionalGeneration(
        VipLlavaConfig(
            text_config={"model_type": "llama", **text_config(words)},
            vision_config={
                "model_type": "clip_vision_model",
                **tower,
                "num_attention_heads": 4,
                "image_size": 56,
                "patch_size": 14,
            },
            image_token_index=token_id(words, "<image>"),
            vision_feature_layers=[-1, -2],
        )
    )
    for name, parameter in vlm.named_parameters():
        if "norm" not in name:
            parameter.data.mul_(4)
    size = {"height": 56, "width": 56}
    processor = LlavaProcessor(
        image_processor=CLIPImageProcessor(size={"shortest_edge": 56}, crop_size=size),
        tokenizer=words,
        patch_size=14,
        num_additional_image_tokens=1,
        vision_feature_select_strategy="default",
        chat_template=chat_template("<image>"),
    )
    vlm.save_pretrained(tmp_path / "checkpoint")
    processor.save_pretrained(tmp_path / "checkpoint")
    return {
        "_target_": "groundrl.policy.load.load_policy",
        "path": str(tmp_path / "checkpoint"),
        "frame": "permille",
        "family": OmegaConf.to_container(OmegaConf.load(CONF).model.family),
        "template": {"_target_": "groundrl.prompts.PromptTemplate"},
        "adapter": {"_target_": "groundrl.policy.adapters.adapter.Adapter", "kind": "frozen"},
        "vision_store": {
            "_target_": "groundrl.policy.vision_store.open_vision_store",
            "cache_dir": str(tmp_path / "cache"),
        },
    }


def scored(policy: Policy) -> tuple[torch.Tensor, torch.Tensor]:
    """Log-probabilities of three completions of two prompts: ours, and the class's own."""
    prompts = [policy.encode(sample) for sample in world_samples(2)]
    groups = [[[60, 61, 62, 63], [70]], [[80, 81]]]
    ours = policy.logprobs(prompts, [[Branch(tokens=t) for t in group] for group in groups])
    rows = [(prompt, t) for prompt, group in zip(prompts, groups, strict=True) for t in group]
    own = torch.zeros_like(ours.logprobs)
    for row, (prompt, tokens) in enumerate(rows):
        logits = policy.vlm(**own_inputs(policy, prompt, tokens)).logits[0]
        logits[:, policy.spec.placeholders] = -torch.inf
        table = logits[-len(tokens) - 1 : -1].log_softmax(-1)
        own[row, : len(tokens)] = table.gather(-1, torch.tensor(tokens)[:, None])[:, 0]
    return ours.logprobs, own


@pytest.mark.slow
@torch.no_grad()
def test_it_shares_prompts_exactly_and_stores_its_features(config: dict, tmp_path: Path) -> None:
    check_config(OmegaConf.create({"model": config}))
    policy = instantiate(config, _convert_="all")
    assert policy.spec.family == ModelFamily(features_in_one_tensor=True)
    assert policy.prefix_sharing
    ours, own = scored(policy)
    torch.testing.assert_close(ours, own, atol=5e-5, rtol=1e-4)
    assert len(list((tmp_path / "cache").rglob("*.safetensors"))) == 2


@pytest.mark.slow
@torch.no_grad()
def test_without_its_family_it_is_computed_as_an_untested_class(
    config: dict, caplog: pytest.LogCaptureFixture
) -> None:
    del config["family"]
    policy = instantiate(config, _convert_="all")
    assert "vipllava is not tested with shared prompts" in caplog.text
    assert policy.spec.family is None
    assert not policy.prefix_sharing
    ours, own = scored(policy)
    torch.testing.assert_close(ours, own, atol=5e-5, rtol=1e-4)


@torch.no_grad()
def test_facts_can_stand_in_the_config_and_a_wrong_one_shows(config: dict) -> None:
    config["family"] = {"_target_": "groundrl.policy.family.ModelFamily"}
    with pytest.raises(AttributeError, match="'list' object"):
        scored(instantiate(config, _convert_="all"))
