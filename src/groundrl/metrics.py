"""The one declaration of every metric that a training run logs."""

import re
from collections.abc import Collection, Mapping

METRICS = {
    "reward/total": "Mean total reward of the step's completions, weighted terms summed.",
    "reward/<term>": "Mean unweighted value of one reward term, over completions it applies to.",
    "reward/std": "Mean over groups of the standard deviation of the total reward.",
    "advantage/mean": "Mean advantage over completions; 0 up to rounding.",
    "advantage/abs_mean": "Mean absolute advantage over completions.",
    "group/zero_variance_frac": "Share of groups whose rewards are all equal when first drawn.",
    "group/rescued_frac": "Share of groups whose rewards differ since they were drawn anew.",
    "policy/loss": "Policy loss of the step, KL penalty included.",
    "policy/kl": "KL(policy || reference) per token, nats, by the loss's estimator.",
    "policy/entropy": "Entropy of the policy per completion token, nats.",
    "policy/ratio_mean": "Mean importance ratio policy / old policy over tokens; 1 on-policy.",
    "policy/clip_frac_low": "Share of tokens whose ratio is cut from below.",
    "policy/clip_frac_high": "Share of tokens whose ratio is cut from above.",
    "policy/sampler_gap": "Mean |old - sampler| log-probability per token, nats.",
    "policy/grad_norm": "Global gradient norm before clipping.",
    "completion/length": "Mean tokens per completion.",
    "completion/truncated_frac": "Share of completions cut off at the token limit.",
    "completion/format_frac": "Share of completions in the required format.",
    "box/per_answer": "Mean boxes per completion.",
    "box/off_frame_frac": "Share of boxes that leave the image.",
    "box/parse_failure_frac": "Share of completions that begin a box which cannot be read.",
    "time/rollout": "Seconds of the step spent sampling, or waiting for what is sampled ahead.",
    "time/reward": "Seconds of the step spent waiting for scores after the rollout.",
    "time/update": "Seconds of the step spent in forward and backward passes.",
    "time/vision": "Seconds of rollout and update in which the vision tower or its store is asked.",
    "time/logging": "Seconds spent drawing rollouts, on the steps that draw them.",
    "time/step": "Seconds of the whole step.",
    "tokens/per_second": "Completion tokens sampled per second of the whole step.",
    "sft/loss": "Mean cross-entropy per target token, nats.",
    "sft/entropy": "Entropy of the policy per target token, nats.",
    "pretrain/loss": "Loss of the dense lesson: objectness, class, colour and box per image token.",
    "pretrain/class": "Share of objects whose class the tower reads right.",
    "pretrain/color": "Share of objects whose colour the tower reads right.",
    "pretrain/corner_error": "Mean distance of box corners, as a share of the image's side.",
    "pretrain/pointing_loss": "Mean cross-entropy per token of answers that point, nats.",
    "pretrain/words_loss": "Mean cross-entropy per token of answers in words, nats.",
    "lr": "Learning rate of the step.",
}
"""Name -> meaning. ``<term>`` stands for one word: the reward option's name of the term."""

EVALUATION = {
    "n": "Questions asked.",
    "acc": "Share of right answers, over questions that have one.",
    "iou": "Mean recall-aware IoU (boxes.matched_iou), over questions that have true boxes.",
    "iou_predicted": "Mean over the same questions of matched IoU / predicted boxes: no recall.",
    "acc_50": "Share of those questions with every true box met at IoU >= 0.5 and none extra.",
    "boxes": "Mean predicted boxes per answer.",
    "boxes_true": "Mean true boxes per question.",
    "off_frame": "Share of predicted boxes that leave the image.",
    "format": "Share of answers in the required format.",
    "parse_failure": "Share of answers that begin a box which cannot be read.",
    "truncated": "Share of answers cut off at the token limit.",
    "tokens": "Mean tokens per answer.",
    "reward": "Mean total reward under the reward that is trained on.",
}
"""Held-out metrics, kept as ``<set>/<name>``; all but the counts
``n`` and ``boxes_true`` with ``<name>_low`` and ``<name>_high``, their 95 % interval."""

_DECLARED = re.compile("|".join(re.escape(n).replace("<term>", "[^/]+") for n in METRICS))
_HELD_OUT = re.compile(f"(?:{'|'.join(EVALUATION)})(?:_low|_high)?")


def check_names(metrics: Mapping[str, object], sets: Collection[str] = ()) -> None:
    """Raises KeyError on names that are declared neither here nor as a metric of ``sets``."""
    unknown = [name for name in metrics if not _is_declared(name, sets)]
    if unknown:
        raise KeyError(f"undeclared metrics {unknown}: declare them in groundrl/metrics.py")


def _is_declared(name: str, sets: Collection[str]) -> bool:
    if _DECLARED.fullmatch(name):
        return True
    head, _, tail = name.partition("/")
    return head in sets and _HELD_OUT.fullmatch(tail) is not None
