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

INVENTS_BELOW = 3
"""Ratings of MMHal-Bench below it say that something is invented."""

BENCHMARKS = {
    "exam_score": "Share of questions with exactly the right options (DrivingVQA).",
    "precision": "Share of what was said that is right: options, or yes.",
    "recall": "Share of what is right that was said: options, yes, or classes in a caption.",
    "f1": "Harmonic mean of precision and recall.",
    "multi_acc": "Share of right answers to questions with several right options.",
    "multi_n": "Questions with several right options.",
    "score": "Mean of min(1, matches / 3) over ten people's answers; of an MME task its sum.",
    "yes_ratio": "Share of yes among the answers.",
    "true_ratio": "Share of true among the answers.",
    "strict_acc": "Accuracy when an answer that begins with neither yes nor no is wrong.",
    "strict_precision": "Precision of that reading.",
    "strict_recall": "Recall of that reading.",
    "strict_f1": "F1 of that reading.",
    "unparsed": "Share of answers that say nothing of what was asked for.",
    "acc_plus": "Share of images with both questions right (MME).",
    "perception": "Sum of the scores of MME's perception tasks, at most 2000.",
    "cognition": "Sum of the scores of MME's cognition tasks, at most 800.",
    "no_box": "Share of answers without a box where one was asked for.",
    "several_boxes": "Share of answers that declare no single box.",
    "chair_i": "Share of named objects that are not in the image.",
    "chair_s": "Share of captions that name such an object.",
    "alignment": "Share of judged answers that follow from their reasoning.",
    "flaw_contradiction": "Share of judged answers whose reasoning says the opposite.",
    "flaw_missing_detail": "Share of judged answers whose reasoning does not go far enough.",
    "flaw_irrelevant": "Share of judged answers whose reasoning is about something else.",
    "flaw_other": "Share of judged answers that do not follow for another reason.",
    "rating": "Mean rating of MMHal-Bench, 0 to 6.",
    "hallucination_rate": "Share of answers rated below 3: they invent something.",
    "unjudged": "Answers for which the judge was not reached.",
    "kappa": "Cohen's kappa between the judge and people.",
    "agreement": "Share of labelled answers on which the judge and people agree.",
    "judge_aligned": "Share of labelled answers that the judge calls aligned.",
    "people_aligned": "Share of labelled answers that people call aligned.",
    "labels_n": "Answers that people labelled.",
    **{
        f"iou_as_{frame}": f"Mean IoU of answers with boxes if these were meant as {frame}; only "
        "where that is far more than in the frame that is said."
        for frame in ("pixel", "model", "unit", "permille")
    },
    "missing": "Published questions without an answer: no image was there, or the file lacks it.",
}
"""What benchmarks add, as ``<set>/<name>`` or ``<set>/<kind>/<name>``."""

ALARMS = {
    "off_frame": (0.1, "of the boxes leave their images: were they written in another frame?"),
    "parse_failure": (0.5, "of the answers begin boxes that cannot be read: see grammar="),
    "unparsed": (0.5, "of the answers say nothing of what was asked for"),
    "no_box": (0.5, "of the answers point at nothing"),
    "truncated": (0.1, "of the answers were cut off at the token limit: raise sampling.max_tokens"),
}
"""Of a benchmark: figure -> from which share on it is told aloud, and how."""

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
