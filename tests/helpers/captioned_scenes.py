"""Captions of drawn scenes, and labels of them."""

import json
from pathlib import Path
from typing import Any

from groundrl.feedback.labels import LabelledCaption, SentenceError, SentenceLabel, write_captions
from groundrl.language.splitting import split_sentences
from groundrl.world.graph import Look, SceneSpec, Subject
from groundrl.world.source import SceneImage

TEXTS = ("There is a red cup 🍵. It is on a bus.", "A street. Nobody is there. It must be Sunday.")


def make_caption(
    number: int, text: str, scene: int | None = None, annotator: str = ""
) -> LabelledCaption:
    """Caption ``c<number>`` of a scene, unlabelled."""
    index = number if scene is None else scene
    spec = SceneSpec(seed=1, index=index, subject=Subject.TABLETOP, look=Look.PLAIN)
    return LabelledCaption(
        id=f"c{number}",
        image=SceneImage(spec=spec),
        question="What is there?",
        text=text,
        annotator=annotator,
    )


def write_caption_file(folder: Path, texts: tuple[str, ...] = TEXTS) -> Path:
    """``captions.jsonl`` with a caption of each text."""
    path = folder / "captions.jsonl"
    write_captions([make_caption(number, text) for number, text in enumerate(texts)], path)
    return path


def label_sentences(text: str, marks: str) -> tuple[SentenceLabel, ...]:
    """A label for each sentence, by a word of marks for each: ``"h2 - ac3"`` are a hallucination
    of severity 2, no error, and an attribute and a conjecture of severity 3."""
    labels = []
    for (start, stop), word in zip(split_sentences(text), marks.split(), strict=True):
        errors = tuple(error for error in SentenceError if str(error)[0] in word[:-1])
        severity = int(word[-1]) if errors else 0
        labels.append(SentenceLabel(start=start, stop=stop, errors=errors, severity=severity))
    return tuple(labels)


def edit_rows(path: Path, **changes: Any) -> None:
    """Change fields of every line."""
    rows = [json.loads(line) | changes for line in path.read_text().splitlines()]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
