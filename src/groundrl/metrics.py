"""Names and meanings of the metrics that several rooms share, and the check of declared names.

A stage declares the metrics that it logs: see ``Stage.metrics`` in stages/base.py.
"""

import re
from collections.abc import Iterable, Mapping

EVALUATION = {
    "n": "Questions asked.",
    "acc": "Share of right answers, over questions that have one.",
    "unparsed": "Share of answers that say nothing of what was asked for, where words were.",
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
