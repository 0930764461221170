"""Labels of the same caption by two annotators."""

from dataclasses import dataclass

from groundrl.feedback.labels import LabelledCaption, SentenceLabel


def differ(a: SentenceLabel, b: SentenceLabel) -> bool:
    """Whether two labels of a sentence say something else; the order of errors says nothing."""
    return {*a.errors} != {*b.errors} or (a.severity, a.creative) != (b.severity, b.creative)


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelPair:
    """One caption; both are labelled, their texts are equal."""

    a: LabelledCaption
    b: LabelledCaption

    @property
    def sentences(self) -> list[tuple[SentenceLabel, SentenceLabel]]:
        """The labels of each sentence."""
        return list(zip(self.a.sentences or (), self.b.sentences or (), strict=True))

    @property
    def differing(self) -> list[int]:
        """Numbers of the sentences whose labels are not equal, from 0 on."""
        return [number for number, (a, b) in enumerate(self.sentences) if differ(a, b)]

    @property
    def distance(self) -> tuple[int, int, int]:
        """How far the labels differ, to sort by: sentences with other errors, the sum of the
        differences in severity, sentences of which one only is called creative."""
        labels = self.sentences
        return (
            sum({*a.errors} != {*b.errors} for a, b in labels),
            sum(abs(a.severity - b.severity) for a, b in labels),
            sum(a.creative != b.creative for a, b in labels),
        )
