"""Names and meanings of the metrics that several rooms share, and the check of declared names.

A stage declares the metrics that it logs: see ``Stage.metrics`` in stages/base.py.
"""

import re
from collections.abc import Iterable, Mapping

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


def check_declared(names: Iterable[str], declared: Mapping[str, str], owner: str) -> None:
    """Raises KeyError, which names the ``owner`` of the declaration, for names that it lacks.

    ``declared``: name -> meaning, where ``<term>`` stands for one word between slashes.
    """
    patterns = [re.escape(name).replace("<term>", "[^/]+") for name in declared if "<" in name]
    unknown = [
        name
        for name in names
        if name not in declared and not any(re.fullmatch(pattern, name) for pattern in patterns)
    ]
    if unknown:
        raise KeyError(f"undeclared metrics {unknown}: add them to {owner}.metrics")
