"""Names and meanings of the metrics that several rooms share, and the check of declared names.

A stage declares the metrics that it logs: see ``Stage.metrics`` in stages/base.py.
"""

import re
from collections.abc import Iterable, Mapping

EVALUATION = {
    "n": "Questions asked.",
    "acc": "Share of right answers, over questions that have one.",
    "acc_strict": "acc where anything but the answer inside its tags is wrong; held-out sets only.",
    "unparsed": "Share of answers that say nothing of what was asked for, where words were.",
    "iou": "Mean recall-aware IoU (boxes.matched_iou), over questions that have true boxes.",
    "iou_predicted": "Mean over the same questions of matched IoU / predicted boxes: no recall.",
    "acc_50": "Share of those questions with every true box met at IoU >= 0.5 and none extra.",
    "recall_50": "Share of the true boxes of those questions that are met at IoU >= 0.5.",
    "boxes": "Mean predicted boxes per answer.",
    "boxes_true": "Mean true boxes per question.",
    "off_frame": "Share of predicted boxes that leave the image.",
    "format": "Share of answers in the required format.",
    "parse_failure": "Share of answers that begin a box which cannot be read.",
    "truncated": "Share of answers cut off at the token limit.",
    "tokens": "Mean tokens per answer.",
    "alignment": "Share of judged answers that follow from their reasoning; in training judged by "
    "rule (answers/rule_judge.py).",
    "alignment_judged": "Share of answers that were judged: those with reasoning, as far as the "
    "judge can tell; of the questions that have a right answer.",
    "flaw_contradiction": "Share of judged answers whose reasoning says the opposite.",
    "flaw_missing_detail": "Share of judged answers whose reasoning does not go far enough.",
    "flaw_irrelevant": "Share of judged answers whose reasoning is about something else.",
    "flaw_other": "Share of judged answers that do not follow for another reason.",
    "reward": "Mean total reward under the reward that is trained on.",
}
"""Held-out metrics, kept as ``<set>/<name>``; all but the counts
``n`` and ``boxes_true`` with ``<name>_low`` and ``<name>_high``, their 95 % interval."""


def check_declared(names: Iterable[str], declared: Mapping[str, str], owner: str) -> None:
    """Raises KeyError, which names the ``owner`` of the declaration, for names that it lacks.

    ``declared``: name -> meaning, where ``<term>`` and ``<kind>`` stand for text without slashes.
    """
    patterns = [re.sub("<term>|<kind>", "[^/]+", re.escape(n)) for n in declared if "<" in n]
    unknown = [
        name
        for name in names
        if name not in declared and not any(re.fullmatch(pattern, name) for pattern in patterns)
    ]
    if unknown:
        raise KeyError(f"undeclared metrics {unknown}: add them to {owner}.metrics")
