"""Our loss against TRL's, as its own trainer computes it."""

from pathlib import Path
from typing import Any

import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from torch import Tensor
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from groundrl.losses import LossInputs, PolicyLoss

datasets = pytest.importorskip("datasets")
grpo = pytest.importorskip("trl.trainer.grpo_trainer")

VOCABULARY = 23
TOKEN_LIMIT = 9
PROMPT = 3

SAME = {
    "grpo": ("grpo", PolicyLoss()),
    "bnpo": ("bnpo", PolicyLoss(aggregation="token_mean")),
    "dapo": ("dapo", PolicyLoss(aggregation="token_mean", clip_high=0.28)),
    "dr_grpo": ("dr_grpo", PolicyLoss(aggregation="constant", max_completion_tokens=TOKEN_LIMIT)),
    "gspo": ("grpo", PolicyLoss(ratio="sequence", clip_low=0.02, clip_high=0.03)),
}
"""Name -> TRL's ``loss_type`` and the choices that mean the same."""


def tiny_model() -> LlamaForCausalLM:
    config = LlamaConfig(
        vocab_size=VOCABULARY,
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        pad_token_id=0,
        eos_token_id=1,
    )
    torch.manual_seed(0)
    return LlamaForCausalLM(config)


def tiny_tokenizer() -> PreTrainedTokenizerFast:
    words = {f"w{i}": i for i in range(VOCABULARY)}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="w2"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="w0", eos_token="w1", unk_token="w2"
    )


def trl_trainer(name: str, folder: Path) -> Any:
    """A ``GRPOTrainer`` around a tiny model; only its loss is used."""
    loss_type, loss = SAME[name]
    model = tiny_model()
    model.save_pretrained(folder / "model")  # TRL loads its reference from there
    model.config._name_or_path = str(folder / "model")
    trainer = grpo.GRPOTrainer(
        model=model,
        reward_funcs=lambda completions, **_: [0.0] * len(completions),
        processing_class=tiny_tokenizer(),
        train_dataset=datasets.Dataset.from_dict({"prompt": ["w3 w4"] * 4}),
        args=grpo.GRPOConfig(
            output_dir=str(folder / "run"),
            loss_type=loss_type,
            importance_sampling_level=loss.ratio,
            beta=loss.kl_coef,
            # TRL's default weighs KL by the ratio (arXiv 2512.02556); GRPO's equation 3 does not.
            use_bias_correction_kl=False,
            epsilon=loss.clip_low,
            epsilon_high=loss.clip_high,
            max_completion_length=TOKEN_LIMIT,
            num_generations=4,
            per_device_train_batch_size=4,
            gradient_accumulation_steps=1,
            temperature=1.0,
            use_cpu=True,
            bf16=False,
            report_to=[],
        ),
    )
    trainer.current_gradient_accumulation_steps = 1  # what its training loop would set
    return trainer


class Step:
    """Four completions of up to 6 tokens: ids, mask, and what policies said about them."""

    def __init__(self, dtype: torch.dtype) -> None:
        make = torch.Generator().manual_seed(1)
        self.ids = torch.randint(3, VOCABULARY, (4, PROMPT + 6), generator=make)
        self.mask = torch.arange(6) < torch.tensor([[6], [2], [5], [3]])
        self.logits = torch.randn(4, 6, VOCABULARY, generator=make, dtype=torch.float64)
        self.logits = self.logits.to(dtype).requires_grad_()
        self.advantages = torch.tensor([1.3, -0.4, -1.1, 0.2], dtype=dtype)
        chosen = self.of(self.logits).detach()
        self.old = chosen + 0.3 * torch.randn(4, 6, generator=make).to(dtype)
        self.ref = chosen + 0.5 * torch.randn(4, 6, generator=make).to(dtype)

    def of(self, logits: Tensor) -> Tensor:
        """Log-probability of each completion token."""
        ids = self.ids[:, PROMPT:, None]
        return logits.log_softmax(dim=-1).gather(-1, ids).squeeze(-1)

    def for_trl(self) -> dict[str, Tensor]:
        return {
            "prompt_ids": self.ids[:, :PROMPT],
            "prompt_mask": torch.ones(4, PROMPT, dtype=torch.long),
            "completion_ids": self.ids[:, PROMPT:],
            "completion_mask": self.mask.long(),
            "advantages": self.advantages,
            "old_per_token_logps": self.old,
            "ref_per_token_logps": self.ref,
            "num_items_in_batch": self.mask.sum(),
        }

    def for_us(self, logits: Tensor) -> LossInputs:
        return LossInputs(
            logprobs=self.of(logits),
            old_logprobs=self.old,
            ref_logprobs=self.ref,
            advantages=self.advantages,
            completion_mask=self.mask,
        )


@pytest.fixture(autouse=True)
def _offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


def relative(ours: Tensor, theirs: Tensor) -> float:
    return ((ours - theirs).norm() / theirs.norm()).item()


@pytest.mark.parametrize(
    ("dtype", "bound"), [(torch.float32, 1e-6), (torch.float64, 1e-12)], ids=["fp32", "fp64"]
)
@pytest.mark.parametrize("kl_only", [False, True], ids=["whole", "kl_only"])
@pytest.mark.parametrize("name", SAME)
def test_loss_and_gradient_by_logits_equal_trl(
    name: str, kl_only: bool, dtype: torch.dtype, bound: float, tmp_path: Path
) -> None:
    step, loss = Step(dtype), SAME[name][1]
    if kl_only:  # beside the policy term, a small error of the KL gradient would be rounded away
        step.advantages = torch.zeros_like(step.advantages)

    class OnGivenLogits(grpo.GRPOTrainer):
        """TRL's loss, on the log-probabilities of given logits."""

        def _get_per_token_logps_and_entropies(self, *_: object, **__: object) -> tuple:
            return step.of(step.logits), torch.zeros_like(step.old), None

    trainer = trl_trainer(name, tmp_path)
    trainer.__class__ = OnGivenLogits
    theirs = trainer._compute_loss(trainer.model, step.for_trl())
    ours = loss(step.for_us(step.logits))

    value = relative(ours.loss.detach(), theirs.detach())
    slopes = [torch.autograd.grad(x, step.logits)[0] for x in (ours.loss, theirs)]
    slope = relative(*slopes)
    print(f"{name} {dtype} {kl_only=}: loss {value:.1e}, gradient by logits {slope:.1e}")
    assert max(value, slope) < bound
    logged = trainer._metrics["train"]
    assert ours.metrics["policy/kl"].item() == pytest.approx(logged["kl"][0], rel=1e-6)
    for side in ("low", "high"):
        share = ours.metrics[f"policy/clip_frac_{side}"].item()
        # A sequence ratio is one event per completion for TRL and one per token for us.
        if loss.ratio == "token":
            assert share == pytest.approx(logged[f"clip_ratio/{side}_mean"][0])
            assert (share == 0) is kl_only


@pytest.mark.parametrize("name", SAME)
def test_the_gradient_of_a_whole_model_equals_trl(name: str, tmp_path: Path) -> None:
    step, loss, trainer = Step(torch.float32), SAME[name][1], trl_trainer(name, tmp_path)
    model = trainer.model
    parameters = list(model.parameters())
    # Near the model's own log-probabilities, so that few tokens are clipped.
    logits = model(step.ids).logits[:, PROMPT - 1 : -1]
    shift = step.of(logits).detach() - step.of(step.logits).detach()
    step.old, step.ref = step.old + shift, step.ref + shift

    ours = loss(step.for_us(logits)).loss
    theirs = trainer._compute_loss(model, step.for_trl())
    value = relative(ours.detach(), theirs.detach())
    slopes = [
        torch.cat([g.flatten() for g in torch.autograd.grad(x, parameters)]) for x in (ours, theirs)
    ]
    slope = relative(*slopes)
    print(f"{name} whole model: loss {value:.1e}, gradient by parameters {slope:.1e}")
    assert value < 1e-5
    assert slope < 1e-5
