"""How well a verifier catches planted errors: ``python benchmarks/verification.py``.

Captions of drawn scenes, level 1 and level 2, by the embedded teacher at several shares of captions
with one error; regions by the oracle, at chosen misses and false alarms. ``recall``: share of the
captions with an error of that kind that were not kept. ``precision``: share of the captions called
wrong in that way that are. ``clean rejected``, ``clean flagged``: shares of the captions without an
error that were thrown away, or changed. ``survived``: share of errors that are in the end result.
"""

import argparse

import history

from groundrl.detectors.oracle import OracleDetector
from groundrl.report.tables import Table, to_text
from groundrl.synthesis.annotate import Annotator
from groundrl.synthesis.annotations import PLANTABLE_KINDS
from groundrl.synthesis.images import SceneImages
from groundrl.synthesis.quality import CaptionStatistics
from groundrl.synthesis.teachers.world import WorldTeacher
from groundrl.synthesis.verifiers.rules import RuleVerifier

RATES = (0.05, 0.15, 0.3)


def measured(rate: float, scenes: int, detector: OracleDetector) -> dict[str, float]:
    """Figures of one share of errors, over ``scenes`` of each subject and look."""
    teacher = WorldTeacher(error_rate=rate)
    verifier = RuleVerifier(vocabulary=detector.vocabulary)
    annotator = Annotator(detector=detector, teacher=teacher, verifier=verifier)
    tally = CaptionStatistics()
    for subject in ("tabletop", "street"):
        for look in ("plain", "photo"):
            for image in SceneImages(size=scenes, seed=11, subject=subject, look=look):
                outcome = annotator(image, {})
                assert outcome.annotated is not None
                tally.add(outcome.annotated)
    return tally.compute_quality()


def table(found: dict[float, dict[str, float]]) -> Table:
    """One row for each share of errors, 95 % intervals in brackets."""
    names = [f"{what}/{kind}" for kind in PLANTABLE_KINDS for what in ("recall", "precision")]
    names += ["clean_rejected", "clean_flagged", "survived"]
    rows = [
        (
            f"{rate:.0%}",
            *(
                f"{figures[name]:.3f} [{figures[f'{name}_low']:.2f}, {figures[f'{name}_high']:.2f}]"
                if name in figures
                else "-"
                for name in names
            ),
        )
        for rate, figures in found.items()
    ]
    columns = ("errors", *(name.replace("/", " ").replace("_", " ") for name in names))
    return Table(columns=columns, rows=tuple(rows))


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description="Figures of a verifier on the embedded world.")
    parser.add_argument("--scenes", type=int, default=250, help="of each subject and look")
    parser.add_argument("--miss-rate", type=float, default=0.0)
    parser.add_argument("--false-alarm-rate", type=float, default=0.0)
    history.add_options(parser)
    arguments = parser.parse_args()
    detector = OracleDetector(
        miss_rate=arguments.miss_rate, false_alarm_rate=arguments.false_alarm_rate
    )
    found = {rate: measured(rate, arguments.scenes, detector) for rate in RATES}
    print(to_text(table(found)))
    history.keep(arguments, {str(rate): row for rate, row in found.items()})


if __name__ == "__main__":
    main()
