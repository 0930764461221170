"""SceneSpec -> image, instance mask, depth and the scene graph with exact boxes."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from jaxtyping import Float32, Int8, Int16, Int64, UInt8

from groundrl.boxes import Box, Frame
from groundrl.errors import UserError
from groundrl.world.graph import Look, Scene, SceneObject, SceneSpec
from groundrl.world.layout import PlacedThing, draw_layout
from groundrl.world.ray_tracer.camera import METRES, Camera, camera, project_boxes
from groundrl.world.ray_tracer.photo import photograph
from groundrl.world.ray_tracer.shading import Surface, draw_light, paint_background, paint_objects
from groundrl.world.ray_tracer.shapes import SHAPES
from groundrl.world.ray_tracer.trace import Solid, place_part
from groundrl.world.things import check_spec, draw_things, generator

MIN_VISIBILITY: Final = 0.4
"""Least share of an object that is seen."""
MIN_PIXELS: Final = 60
"""Least visible pixels at an image height of 160; scales with the area."""
_ATTEMPTS: Final = 400


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Render:
    """A scene and all that is known about its pixels."""

    scene: Scene
    image: UInt8[np.ndarray, "H W 3"]
    """sRGB."""
    instances: Int8[np.ndarray, "H W"]
    """Index into ``scene.objects``; -1 is background."""
    depth: Float32[np.ndarray, "H W"]
    """Distance along the viewing axis in metres; ground and wall included."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Traced:
    """Which part of which object each pixel shows."""

    surfaces: list[Surface]
    inverse: Float32[np.ndarray, "H W"]
    """1 / depth in units; 0 where no object is."""
    parts: Int16[np.ndarray, "H W"]
    """Index into ``surfaces``; -1 is background."""
    instances: Int8[np.ndarray, "H W"]
    windows: list[tuple[slice, slice]]
    covered: list[int]
    """Pixels that each object covers alone."""


def _windows(view: Camera, placed: tuple[PlacedThing, ...]) -> list[Int64[np.ndarray, "P 4"]]:
    """For each object the pixel windows (x1, y1, x2, y2) of its parts."""
    bases = [np.array(item.origin) + item.scale * item.bounds.centers for item in placed]
    halves = [item.scale * item.bounds.halves for item in placed]
    seen = project_boxes(view, np.concatenate(bases), np.concatenate(halves))
    seen[:, 2:] += 1
    limit = (view.width, view.height, view.width, view.height)
    windows = np.clip(seen.astype(np.int64), 0, limit)
    return np.split(windows, np.cumsum([len(base) for base in bases])[:-1])


def _trace_object(
    view: Camera, windows: Int64[np.ndarray, "P 4"], solids: list[Solid | None]
) -> tuple[tuple[slice, slice], Float32[np.ndarray, "h w"], Int16[np.ndarray, "h w"]]:
    """The object alone: its window, 1 / depth, and which of its parts each pixel shows."""
    left, top = windows[:, :2].min(axis=0).tolist()
    right, bottom = windows[:, 2:].max(axis=0).tolist()
    inverse = np.zeros((bottom - top, right - left), np.float32)
    parts = np.full(inverse.shape, -1, np.int16)
    for k, (solid, (x1, y1, x2, y2)) in enumerate(zip(solids, windows.tolist(), strict=True)):
        if solid is None:
            continue
        s = solid.trace(view, (slice(y1, y2), slice(x1, x2)))
        inside = (slice(y1 - top, y2 - top), slice(x1 - left, x2 - left))
        nearer = s > inverse[inside]
        np.copyto(inverse[inside], s, where=nearer)
        np.copyto(parts[inside], k, where=nearer)
    return (slice(top, bottom), slice(left, right)), inverse, parts


def _trace(view: Camera, placed: tuple[PlacedThing, ...]) -> _Traced:
    surfaces: list[Surface] = []
    inverse = np.zeros((view.height, view.width), np.float32)
    parts = np.full(inverse.shape, -1, np.int16)
    windows, covered = [], []
    owners = []
    for i, (item, boxes) in enumerate(zip(placed, _windows(view, placed), strict=True)):
        shape = SHAPES[item.thing.category]
        solids = [place_part(part, item.origin, item.scale, item.yaw) for part in shape]
        window, alone, which = _trace_object(view, boxes, solids)
        nearer = alone > inverse[window]
        np.copyto(inverse[window], alone, where=nearer)
        np.copyto(parts[window], which + np.int16(len(surfaces)), where=nearer)
        windows.append(window)
        covered.append(int(np.count_nonzero(alone)))
        for solid, part in zip(solids, shape, strict=True):
            surfaces.append(Surface(solid=solid, paint=part.paint, item=item))
            owners.append(i)
    # index -1, the background, reads the last entry
    instances = np.array([*owners, -1], np.int8)[parts]
    return _Traced(
        surfaces=surfaces,
        inverse=inverse,
        parts=parts,
        instances=instances,
        windows=windows,
        covered=covered,
    )


def _objects(
    spec: SceneSpec, placed: tuple[PlacedThing, ...], traced: _Traced
) -> tuple[SceneObject, ...] | None:
    """Records with boxes tight around what is seen; None when too little of an object is."""
    least = MIN_PIXELS * (spec.height / 160) ** 2
    objects = []
    for i, (item, window) in enumerate(zip(placed, traced.windows, strict=True)):
        seen = traced.instances[window] == i
        count = int(np.count_nonzero(seen))
        if count < least or count < MIN_VISIBILITY * traced.covered[i]:
            return None
        rows = np.flatnonzero(seen.any(axis=1)) + window[0].start
        columns = np.flatnonzero(seen.any(axis=0)) + window[1].start
        position, extent, depth = item.metres(spec.subject)
        objects.append(
            SceneObject(
                category=item.thing.category,
                color=item.thing.color,
                material=item.thing.material,
                size=item.size,
                position=position,
                extent=extent,
                support=item.support,
                box=Box(
                    x1=float(columns[0]),
                    y1=float(rows[0]),
                    x2=float(columns[-1] + 1),
                    y2=float(rows[-1] + 1),
                    frame=Frame.PIXEL,
                ),
                visibility=count / traced.covered[i],
                depth=depth,
            )
        )
    return tuple(objects)


def _arrange(spec: SceneSpec) -> tuple[tuple[PlacedThing, ...], _Traced, tuple[SceneObject, ...]]:
    """The first arrangement in which every object is seen well enough."""
    check_spec(spec)
    view = camera(spec.width, spec.height)
    things = draw_things(spec, generator(spec, 0))
    for attempt in range(_ATTEMPTS):
        placed = draw_layout(spec, things, attempt)
        if placed is None:
            continue
        traced = _trace(view, placed)
        objects = _objects(spec, placed, traced)
        if objects is not None:
            return placed, traced, objects
    raise UserError(
        f"{len(things)} objects found no room in {spec.width} x {spec.height} pixels "
        f"(seed={spec.seed}, index={spec.index}): lower max_objects or widen the image"
    )


def render(spec: SceneSpec) -> Render:
    """Image, mask, depth and graph of a scene; raises UserError for a spec nothing fits."""
    placed, traced, objects = _arrange(spec)
    view = camera(spec.width, spec.height)
    rng = generator(spec, 2)
    light = draw_light(rng, photo=spec.look is Look.PHOTO)
    image = paint_background(spec, view, placed, light, rng)
    paint_objects(image, view, traced.surfaces, traced.parts, traced.inverse, light)
    if spec.look is Look.PHOTO:
        photograph(image, view, rng)
    depth = np.broadcast_to(view.background, traced.inverse.shape).copy()
    np.divide(1, traced.inverse, out=depth, where=traced.parts >= 0)
    depth *= np.float32(METRES[spec.subject])
    np.clip(image, 0, 255, out=image)
    return Render(
        scene=Scene(spec=spec, objects=objects),
        image=image.astype(np.uint8),
        instances=traced.instances,
        depth=depth,
    )


def build_scene(spec: SceneSpec) -> Scene:
    """The scene graph alone; the same as ``render(spec).scene``, without shading."""
    return Scene(spec=spec, objects=_arrange(spec)[2])
