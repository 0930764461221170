"""The contact sheet: one command, one image, clear messages."""

import numpy as np
import pytest
from PIL import Image

from groundrl.world.__main__ import ZOOM, depth_panel, main, mask_panel
from groundrl.world.graph import SceneSpec
from groundrl.world.render import render


def test_the_command_writes_one_image_wide_enough_for_every_column(tmp_path, capsys):
    out = tmp_path / "sheet.png"
    arguments = ["--subject", "tabletop", "street", "--look", "plain", "--rows", "1"]
    assert main([*arguments, "--size", "64", "--out", str(out)]) == 0
    assert capsys.readouterr().out.strip() == str(out)
    with Image.open(out) as sheet:
        assert sheet.width > 2 * 64 * ZOOM
        assert sheet.height > 3 * 64 * ZOOM


@pytest.mark.slow
def test_the_same_command_writes_the_same_image(tmp_path):
    first, second = tmp_path / "a.png", tmp_path / "b.png"
    for out in (first, second):
        main(["--subject", "street", "--rows", "1", "--size", "64", "--out", str(out)])
    assert first.read_bytes() == second.read_bytes()


def test_the_mask_panel_has_one_colour_per_object_and_one_for_the_background():
    drawn = render(SceneSpec(seed=0, index=0, width=64, height=64))
    pixels = np.asarray(mask_panel(drawn.instances)).reshape(-1, 3)
    assert len(np.unique(pixels, axis=0)) == len(drawn.scene.objects) + 1


def test_the_depth_panel_is_brightest_where_the_scene_is_nearest():
    pixels = np.asarray(depth_panel(np.array([[1.0, 2.0, 4.0]], dtype=np.float32)))
    assert pixels[0, ::ZOOM, 0].tolist() == [255, 85, 0]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--rows", "0", "--out", "a.png"], "--rows must be at least 1, got 0"),
        (["--out", "a.jpg"], "--out must end in .png, got a.jpg"),
        (["--out", "missing/a.png"], "there is no folder"),
        (["--subject", "kitchen", "--out", "a.png"], "choose from"),
        ([], "required: --out"),
    ],
)
def test_a_mistake_in_the_command_is_named(arguments, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert stop.value.code == 2
    assert message in capsys.readouterr().err


def test_an_impossible_size_ends_with_the_message_and_status_two(tmp_path, capsys):
    assert main(["--size", "-1", "--out", str(tmp_path / "a.png")]) == 2
    assert capsys.readouterr().err
