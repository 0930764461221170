"""What a synthesis is built of."""

from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from PIL import Image

from groundrl.launch.resolvers import register_resolvers
from groundrl.launch.synthesis import build_synthesis

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(("detector", "told"), [("vlm", True), ("oracle", False)])
def test_photographs_for_the_embedded_model_are_warned_of(
    tmp_path: Path, detector: str, told: bool, recwarn: pytest.WarningsRecorder
) -> None:
    Image.new("RGB", (64, 64)).save(tmp_path / "photo.jpg")
    register_resolvers(ROOT)
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        cfg = compose("synthesize", [f"images={tmp_path}", f"detector={detector}"])
    build_synthesis(cfg, tmp_path / "run")
    said = [str(one.message) for one in recwarn]
    assert any("knows drawn scenes only" in one for one in said) == told
