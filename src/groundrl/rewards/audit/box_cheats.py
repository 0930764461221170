"""The right answer with wrong boxes or labels."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import numpy as np

from groundrl.boxes import Box, Frame
from groundrl.questions.sentences import weave
from groundrl.records import Grounding, Segments
from groundrl.rewards.audit.cases import Case, without_delimiters
from groundrl.rewards.audit.cheat import Cheat
from groundrl.rewards.audit.yardstick import BOXES, FORMAT, LABELS

CORNERS = re.compile(r"(\d+)(, ?)(\d+)(, ?)(\d+)(, ?)(\d+)")
"""The numbers of a box in any grammar."""
GRID_SIDE = 8
MANY_BOXES = 2000
COSTLY_CASES = 3
"""Cheats that take long to score are written for the first few samples only."""


def box_cheats(case: Case) -> Iterator[Cheat]:
    """Other boxes under the right labels, or none; then boxes that cannot be read."""
    true = case.sample.groundings
    grid = _grid(case)
    pointing: dict[str, Segments] = {"fixed grid": grid}
    if not true:
        pointing["a box for every option"] = tuple(
            replace(box, label=without_delimiters(option))
            for box, option in zip(grid, case.sample.options, strict=False)
        )
    else:
        whole = _whole(case)
        pointing["whole image"] = _with_boxes(true, lambda _: whole)
        pointing["whole image besides"] = (*true, Grounding(label="scene", box=whole))
        pointing["box spam"] = (*true, *grid)
        pointing["every box twice"] = (*true, *true)
        pointing["off the image"] = _with_boxes(true, lambda box: _move(box, 9 * whole.x2, 0.0))
        pointing["one union box"] = (Grounding(label=true[0].label, box=_union(true)),)
        pointing["tiny boxes"] = _with_boxes(true, lambda box: _scale(box, 0.2))
        pointing["huge boxes"] = _with_boxes(true, lambda box: _clip(_scale(box, 3.0), whole))
        pointing["boxes without area"] = _with_boxes(true, lambda box: _scale(box, 0.0))
        pointing["boxes half beside"] = _with_boxes(
            true, lambda box: _move(box, (box.x2 - box.x1) / 2, 0.0)
        )
        pointing["mirrored boxes"] = _with_boxes(
            true, lambda box: replace(box, x1=whole.x2 - box.x2, x2=whole.x2 - box.x1)
        )
        pointing["the middle of the image"] = _with_boxes(true, lambda _: _scale(whole, 0.4))
        if (others := _boxes_of_another(case)) is not None:
            pointing["boxes of another sample"] = others
        if case.number < COSTLY_CASES:
            pointing["thousands of boxes"] = _many(case)
    if len(true) > 1:
        pointing["one easy box"] = (max(true, key=lambda one: one.box.area),)
        pointing["one box under all names"] = tuple(replace(g, box=true[0].box) for g in true)
        pointing["one box missing"] = true[:-1]
    for name, segments in pointing.items():
        yield Cheat(name=name, text=case.write(segments), worse_in=frozenset({BOXES}))
    if true:
        yield from _unreadable(case)
        yield from _label_cheats(case)


def _unreadable(case: Case) -> Iterator[Cheat]:
    gold = case.write()
    labels = {re.escape(one.label) for one in case.sample.groundings}
    for name, text in {
        "answer without looking": case.write(("I know that.",)),
        "swapped corners": CORNERS.sub(r"\5\2\7\4\1\6\3", gold),
        "NaN boxes": CORNERS.sub(r"nan\2nan\4nan\6nan", gold),
        "infinite boxes": CORNERS.sub(r"-inf\2-inf\4inf\6inf", gold),
        "boxes of huge numbers": CORNERS.sub(r"0\g<2>0\g<4>1e400\g<6>1e400", gold),
        "boxes of three numbers": CORNERS.sub(r"\1\2\3\4\5", gold),
        "boxes without labels": re.sub("|".join(sorted(labels, key=len, reverse=True)), "", gold),
    }.items():
        yield Cheat(name=name, text=text, worse_in=frozenset({BOXES, FORMAT}))


def _label_cheats(case: Case) -> Iterator[Cheat]:
    """The right boxes under wrong names."""
    true = case.sample.groundings
    turned = dict(zip(true, (*true[1:], true[0]), strict=True))
    every = " and ".join(dict.fromkeys(one.label for one in true))
    names: dict[str, Callable[[Grounding], str]] = {
        "generic labels": lambda _: "object",
        "labels swapped": lambda one: turned[one].label if one in turned else one.label,
        "every label on every box": lambda _: every,
    }
    for name, rename in names.items():
        segments = tuple(
            part if isinstance(part, str) else replace(part, label=rename(part))
            for part in weave("I see ", *true, ".")
        )
        yield Cheat(name=name, text=case.write(segments), worse_in=frozenset({LABELS}))


def _with_boxes(
    groundings: Sequence[Grounding], change: Callable[[Box], Box]
) -> tuple[Grounding, ...]:
    return tuple(replace(one, box=change(one.box)) for one in groundings)


def _whole(case: Case) -> Box:
    width, height = case.sample.image.width, case.sample.image.height
    return Box(x1=0.0, y1=0.0, x2=float(width), y2=float(height), frame=Frame.PIXEL)


def _grid(case: Case) -> tuple[Grounding, ...]:
    """Boxes side by side over the whole image."""
    whole = _whole(case)
    width, height = whole.x2 / GRID_SIDE, whole.y2 / GRID_SIDE
    return tuple(
        Grounding(
            label=f"cell {row} {column}",
            box=Box(
                x1=width * column,
                y1=height * row,
                x2=width * (column + 1),
                y2=height * (row + 1),
                frame=Frame.PIXEL,
            ),
        )
        for row in range(GRID_SIDE)
        for column in range(GRID_SIDE)
    )


def _many(case: Case) -> tuple[Grounding, ...]:
    """The true boxes first, then boxes anywhere."""
    whole, rng = _whole(case), np.random.default_rng(0)
    corners = np.sort(rng.random((MANY_BOXES, 2, 2)), axis=1) * (whole.x2, whole.y2)
    label = case.sample.groundings[0].label
    return (
        *case.sample.groundings,
        *(
            Grounding(
                label=label,
                box=Box(x1=float(x1), y1=float(y1), x2=float(x2), y2=float(y2), frame=Frame.PIXEL),
            )
            for (x1, y1), (x2, y2) in corners
        ),
    )


def _boxes_of_another(case: Case) -> tuple[Grounding, ...] | None:
    """As many boxes as there are, of the next sample that has enough on an image of this size."""
    true, image = case.sample.groundings, case.sample.image
    for other in case.others:
        same_size = (other.image.width, other.image.height) == (image.width, image.height)
        if same_size and other.image.key != image.key and len(other.groundings) >= len(true):
            pairs = zip(true, other.groundings, strict=False)
            return tuple(replace(one, box=there.box) for one, there in pairs)
    return None


def _union(groundings: Sequence[Grounding]) -> Box:
    x1, y1, x2, y2 = zip(*(one.box.corners for one in groundings), strict=True)
    return Box(x1=min(x1), y1=min(y1), x2=max(x2), y2=max(y2), frame=Frame.PIXEL)


def _move(box: Box, dx: float, dy: float) -> Box:
    return replace(box, x1=box.x1 + dx, y1=box.y1 + dy, x2=box.x2 + dx, y2=box.y2 + dy)


def _scale(box: Box, factor: float) -> Box:
    """About its centre."""
    (x, y), width, height = box.center, box.x2 - box.x1, box.y2 - box.y1
    dx, dy = factor * width / 2, factor * height / 2
    return replace(box, x1=x - dx, y1=y - dy, x2=x + dx, y2=y + dy)


def _clip(box: Box, whole: Box) -> Box:
    return replace(
        box,
        x1=max(box.x1, whole.x1),
        y1=max(box.y1, whole.y1),
        x2=min(box.x2, whole.x2),
        y2=min(box.y2, whole.y2),
    )
