"""Scenes put together by hand, without drawing them: what the tests of the words need."""

import numpy as np

from groundrl.boxes import Box, Frame
from groundrl.world.graph import Look, Scene, SceneObject, SceneSpec, Subject
from groundrl.world.vocabulary import CATEGORIES, COLORS

CAMERA_DISTANCE = 2.0
FOCAL = 130.0


def thing(
    name: str,
    x: float = 0.0,
    z: float = 0.0,
    y: float = 0.0,
    size: float = 0.3,
    support: int | None = None,
) -> SceneObject:
    """A cube called "red cup" whose base centre is at (x, y, z), seen from two metres away."""
    color, category = name.split()
    depth = CAMERA_DISTANCE + z
    column, row = 80 + FOCAL * x / depth, 80 + FOCAL * (0.5 - y) / depth
    reach = FOCAL * size / depth
    corners = np.clip(
        [column - reach / 2, row - reach, column + reach / 2, row], 0.0, 160.0
    ).tolist()
    return SceneObject(
        category=category,
        color=color,
        material="wood",
        size="large",
        position=(x, y, z),
        extent=(size, size, size),
        support=support,
        box=Box(**dict(zip(("x1", "y1", "x2", "y2"), corners, strict=True)), frame=Frame.PIXEL),
        visibility=1.0,
        depth=depth,
    )


def scene(*things: SceneObject, subject: Subject = Subject.TABLETOP, index: int = 0) -> Scene:
    """A scene of these objects."""
    spec = SceneSpec(seed=0, index=index, subject=subject, look=Look.PLAIN)
    return Scene(spec=spec, objects=things)


def random_scene(index: int) -> Scene:
    """Three to five cubes, near to far; some share a name's words, some stand on others."""
    rng = np.random.default_rng([7, index])
    subject = list(Subject)[index % 2]
    count = int(rng.integers(3, 6))
    places = sorted((float(z), float(x)) for x, z in rng.uniform(-0.9, 0.9, (count, 2)))
    names = [
        f"{rng.choice(list(COLORS)[:5])} {rng.choice(CATEGORIES[subject][:6])}" for _ in places
    ]
    things = [thing(name, x=x, z=z) for name, (z, x) in zip(names, places, strict=True)]
    if rng.random() < 0.4:
        below = things[-2]
        x, _, z = below.position
        things[-1] = thing(names[-1], x=x, z=z, y=0.3, size=0.2, support=count - 2)
    return scene(*things, subject=subject, index=index)
