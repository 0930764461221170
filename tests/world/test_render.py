"""Pixels against geometry: masks, boxes, depth, colours."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from groundrl.records import ImageSource
from groundrl.world.graph import Look, SceneObject, SceneSpec, Subject
from groundrl.world.ray_tracer.camera import METRES
from groundrl.world.render import MIN_PIXELS, MIN_VISIBILITY, Render, build_scene, render
from groundrl.world.source import SceneImage
from groundrl.world.vocabulary import CATEGORIES, COLORS

BOTH = list(Subject)
SPECS = [
    SceneSpec(seed=5, index=i, subject=subject, min_objects=1, max_objects=8)
    for subject in BOTH
    for i in range(12)
]


def rays(spec: SceneSpec) -> tuple[np.ndarray, np.ndarray]:
    """Eye (metres) and directions (H, W, 3) whose component along the viewing axis is 1."""
    focal, pitch = 1.4 * spec.height, math.radians(28)
    column, row = np.arange(spec.width) + 0.5, np.arange(spec.height) + 0.5
    u, v = np.meshgrid((column - spec.width / 2) / focal, (spec.height / 2 - row) / focal)
    right, up = np.array([1.0, 0, 0]), np.array([0, math.cos(pitch), math.sin(pitch)])
    ahead = np.array([0, -math.sin(pitch), math.cos(pitch)])
    directions = u[..., None] * right + v[..., None] * up + ahead
    return np.array([0, 1.6, 0]) * METRES[spec.subject], directions


def points(result: Render) -> np.ndarray:
    """World point (metres) that each pixel shows."""
    eye, directions = rays(result.scene.spec)
    return eye + result.depth[..., None] * directions


def sphere_depth(spec: SceneSpec, ball: SceneObject) -> np.ndarray:
    """Depth of a ball alone, by the school formula; infinite where it is missed."""
    eye, directions = rays(spec)
    radius = ball.extent[1] / 2
    to_eye = eye - np.array(ball.position) - [0, radius, 0]
    a = (directions**2).sum(-1)
    b = directions @ to_eye
    inside = b * b - a * (to_eye @ to_eye - radius**2)
    return np.where(inside > 0, (-b - np.sqrt(np.maximum(inside, 0))) / a, np.inf)


@pytest.mark.parametrize("look", list(Look))
@pytest.mark.parametrize("subject", BOTH)
def test_equal_specs_give_equal_pixels(subject: Subject, look: Look) -> None:
    spec = SceneSpec(seed=2, index=9, subject=subject, look=look)
    first = render(spec)
    render(replace(spec, index=10))
    again = render(spec)
    assert np.array_equal(first.image, again.image)
    assert first.scene == again.scene
    assert not np.array_equal(first.image, render(replace(spec, seed=3)).image)


@pytest.mark.parametrize("spec", SPECS, ids=lambda s: f"{s.subject}-{s.index}")
def test_boxes_are_tight_around_visible_pixels(spec: SceneSpec) -> None:
    result = render(spec)
    for i, item in enumerate(result.scene.objects):
        rows, columns = np.nonzero(result.instances == i)
        tight = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
        assert item.box.corners == tight
        assert len(rows) >= MIN_PIXELS
        assert MIN_VISIBILITY <= item.visibility <= 1
    assert result.instances.min() == -1
    assert result.instances.max() == len(result.scene.objects) - 1


@pytest.mark.parametrize("spec", SPECS, ids=lambda s: f"{s.subject}-{s.index}")
def test_every_visible_point_lies_in_the_cuboid_of_its_object(spec: SceneSpec) -> None:
    result = render(spec)
    world, slack = points(result), 0.02 * METRES[spec.subject]
    for i, item in enumerate(result.scene.objects):
        shown = world[result.instances == i]
        x, y, z = item.position
        width, height, depth = item.extent
        low = np.array([x - width / 2, y, z - depth / 2]) - slack
        high = np.array([x + width / 2, y + height, z + depth / 2]) + slack
        assert (shown >= low).all()
        assert (shown <= high).all()
    behind = world[result.instances < 0]
    assert np.allclose(
        np.minimum(behind[:, 1], 4.7 * METRES[spec.subject] - behind[:, 2]), 0, atol=1e-4
    )


@pytest.mark.slow
def test_a_ball_is_where_the_school_formula_puts_it() -> None:
    balls = 0
    for index in range(40):
        result = render(SceneSpec(seed=6, index=index, min_objects=4, max_objects=8))
        for i, item in enumerate(result.scene.objects):
            if item.category != "ball":
                continue
            truth, mine = sphere_depth(result.scene.spec, item), result.instances == i
            np.testing.assert_allclose(result.depth[mine], truth[mine], rtol=2e-3)
            # the nearest surface wins: nothing farther may be shown where the ball is
            assert (result.depth <= truth * 1.002).all()
            assert item.visibility == pytest.approx(mine.sum() / np.isfinite(truth).sum(), abs=0.02)
            balls += 1
    assert balls > 10


def test_partly_hidden_objects_report_how_much_is_seen() -> None:
    seen = [
        item.visibility
        for index in range(30)
        for item in build_scene(SceneSpec(seed=8, index=index, max_objects=5)).objects
    ]
    assert 1.0 in seen
    assert min(seen) < 0.9


def named_color(pixels: np.ndarray) -> str:
    """The colour whose direction in RGB most pixels are nearest to."""
    palette = np.array(list(COLORS.values()), float)
    palette /= np.linalg.norm(palette, axis=1, keepdims=True)
    near = (pixels.astype(float) @ palette.T).argmax(axis=1)
    return list(COLORS)[np.bincount(near).argmax()]


@pytest.mark.parametrize("look", list(Look))
@pytest.mark.parametrize("subject", BOTH)
def test_every_class_alone_is_seen_and_its_pixels_name_its_colour(
    subject: Subject, look: Look
) -> None:
    missing = set(CATEGORIES[subject])
    wrong = []
    for index in range(60):
        result = render(
            SceneSpec(seed=4, index=index, subject=subject, look=look, min_objects=1, max_objects=1)
        )
        (item,) = result.scene.objects
        missing.discard(item.category)
        assert item.visibility == 1
        name = named_color(result.image[result.instances == 0])
        if name != item.color:
            wrong.append((item.color, item.category, item.material, name))
    assert not missing
    assert not wrong


def test_the_photo_look_is_rough_where_the_plain_look_is_smooth() -> None:
    for subject in BOTH:
        spec = SceneSpec(seed=1, index=1, subject=subject)
        plain, photo = (render(replace(spec, look=look)) for look in Look)
        assert np.array_equal(plain.instances, photo.instances)
        behind = (plain.instances < 0)[:, 1:] & (plain.instances < 0)[:, :-1]
        rough = [
            np.abs(np.diff(r.image.astype(int), axis=1))[behind].mean() for r in (plain, photo)
        ]
        assert rough[0] < 1.5
        assert rough[1] > 3


@pytest.mark.parametrize(("width", "height"), [(96, 96), (225, 161), (336, 224)])
def test_other_image_sizes_hold_the_same_world(width: int, height: int) -> None:
    spec = SceneSpec(seed=1, index=3, width=width, height=height, look=Look.PHOTO)
    result = render(spec)
    assert result.image.shape == (height, width, 3)
    for item in result.scene.objects:
        assert 0 <= item.box.x1 < item.box.x2 <= width
        assert 0 <= item.box.y1 < item.box.y2 <= height


def test_a_scene_is_an_image_source(tmp_path: Path) -> None:
    spec = SceneSpec(seed=1, index=3, subject=Subject.STREET)
    source = SceneImage(spec=spec)
    assert isinstance(source, ImageSource)
    assert source.key == "scene:1:3:street:plain:160x160:3-5"
    assert (source.width, source.height) == (160, 160)
    source.load().save(tmp_path / "scene.png")
    with Image.open(tmp_path / "scene.png") as stored:
        assert np.array_equal(np.asarray(stored), render(spec).image)
