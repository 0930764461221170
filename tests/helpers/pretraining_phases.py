"""A pretraining of a few steps."""

from groundrl.pretraining.lessons import Curriculum, Phases

PHASES = Phases(
    tower=2,
    naming=10,
    reading=2,
    relating=10,
    scenes=4,
    naming_curriculum=Curriculum(shares=(0.0, 0.5), objects=(1, 5)),
    relating_curriculum=Curriculum(shares=(0.0,), objects=(5,)),
)
