"""Captions of the embedded world in which a colour or a noun of some sentences was swapped."""

from collections.abc import Sequence

import numpy as np

from groundrl.feedback.labels import LabelledCaption, SentenceError, SentenceLabel
from groundrl.language.splitting import split_sentences
from groundrl.records import Grounding
from groundrl.world.captions.captions import caption
from groundrl.world.graph import Scene, SceneSpec, Subject
from groundrl.world.render import build_scene
from groundrl.world.source import SceneImage
from groundrl.world.vocabulary import CATEGORIES, COLORS

QUESTION = "What is in the image?"
SWAPS = {SentenceError.ATTRIBUTE: COLORS, SentenceError.HALLUCINATION: CATEGORIES[Subject.TABLETOP]}


def labelled_captions(
    count: int,
    swaps: Sequence[SentenceError] = tuple(SWAPS),
    share: float = 0.25,
    seed: int = 5,
    per_scene: int = 1,
) -> list[LabelledCaption]:
    """``count`` captions of as many scenes, or of fewer with several each; a phrase is wrong with
    probability ``share``."""
    found = []
    for index in range(count):
        spec = SceneSpec(seed=seed, index=index // per_scene)
        rng = np.random.default_rng((seed, index))
        found.append(labelled_caption(f"caption-{index}", build_scene(spec), rng, swaps, share))
    return found


def labelled_caption(
    name: str,
    scene: Scene,
    rng: np.random.Generator,
    swaps: Sequence[SentenceError],
    share: float,
) -> LabelledCaption:
    text, wrong = "", list[tuple[int, SentenceError]]()
    for part in caption(scene, rng):
        if not isinstance(part, Grounding):
            text += part
            continue
        label = part.label
        if rng.random() < share:
            error = swaps[int(rng.integers(len(swaps)))]
            label = swapped(label, error, scene, rng)
            wrong.append((len(text), error))
        text += label
    return LabelledCaption(
        id=name,
        image=SceneImage(spec=scene.spec),
        question=QUESTION,
        text=text,
        sentences=tuple(
            SentenceLabel(
                start=start,
                stop=stop,
                errors=(found := tuple({e: 0 for place, e in wrong if start <= place < stop})),
                severity=2 * bool(found),
            )
            for start, stop in split_sentences(text)
        ),
        annotator="world",
    )


def swapped(label: str, error: SentenceError, scene: Scene, rng: np.random.Generator) -> str:
    """The phrase with a word that no phrase of the scene has in its place."""
    used = {word for thing in scene.objects for word in thing.label.split()}
    words = label.split()
    place = 0 if error is SentenceError.ATTRIBUTE else len(words) - 1
    choices = [word for word in SWAPS[error] if word not in used]
    words[place] = choices[int(rng.integers(len(choices)))]
    return " ".join(words)
