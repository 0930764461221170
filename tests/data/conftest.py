"""Small data sets on disk."""

from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from groundrl.boxes import Box, Frame
from groundrl.records import Grounding


@pytest.fixture
def image_file() -> Callable[..., Path]:
    """Writes a JPEG of noise, so that a truncated one has lost something."""

    def write(path: Path, width: int = 100, height: int = 80) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.effect_noise((width, height), 60).convert("RGB").save(path)
        return path

    return write


@pytest.fixture
def grounding() -> Callable[..., Grounding]:
    def make(label: str, x1: float, y1: float, x2: float, y2: float) -> Grounding:
        left, top, right, bottom = map(float, (x1, y1, x2, y2))
        box = Box(x1=left, y1=top, x2=right, y2=bottom, frame=Frame.PIXEL)
        return Grounding(label=label, box=box)

    return make


@pytest.fixture
def yolo_root(tmp_path: Path, image_file: Callable[..., Path]) -> Path:
    """Two training images (one without objects) and one held-out image, 100 x 80."""
    (tmp_path / "data.yaml").write_text(
        "path: .\ntrain: images/train\nval: images/val\nnames: [cat, dog]\n"
    )
    for name in ("train/a", "train/empty", "val/b"):
        image_file(tmp_path / f"images/{name}.jpg")
    for name, rows in (("train/a", "0 0.5 0.5 0.2 0.5\n1 0.1 0.5 0.2 0.25\n"), ("val/b", "")):
        label = tmp_path / f"labels/{name}.txt"
        label.parent.mkdir(parents=True, exist_ok=True)
        label.write_text(rows or "0 0.5 0.5 1 1\n")
    return tmp_path
