"""Images that do not fit into memory together are looked at in halves."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from small_memory import limit_inputs
from zero_shot_models import dino, owl

from groundrl.detectors.grounding_dino import GroundingDinoDetector
from groundrl.detectors.owlv2 import Owlv2Detector
from groundrl.errors import UserError
from groundrl.synthesis.images import FolderImages

VOCABULARY = ("cat", "traffic light", "dog")


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["grounding_dino", "owlv2"])
def test_regions_are_those_of_the_whole_batch(
    kind: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "images").mkdir()
    for index in range(5):
        pixels = np.random.default_rng(index).integers(0, 256, (40, 60, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / "images" / f"{index}.png")
    images = list(FolderImages(tmp_path / "images"))
    options = {"vocabulary": VOCABULARY, "threshold": 0.01, "device": "cpu"}
    if kind == "owlv2":
        look = Owlv2Detector(path=str(owl(tmp_path / kind)), **options)
        module = look.model.owlv2.vision_model
    else:
        look = GroundingDinoDetector(path=str(dino(kind, tmp_path / kind)), **options)
        module = look.model
    expected = look(images)
    tried, hook = limit_inputs(module, 2)
    found = look(images)
    assert tried[:2] == [5, 2]
    assert max(tried[2:]) == 2
    for one, other in zip(found, expected, strict=True):
        assert one
        assert [region.label for region in one] == [region.label for region in other]
        scores = [region.score for region in other]
        assert [region.score for region in one] == pytest.approx(scores, abs=1e-5)
    told = [message for message in caplog.messages if message.startswith("out of memory")]
    assert [message.rpartition(", ")[2] for message in told] == ["type detector.batch_size=2"]
    hook.remove()
    limit_inputs(module, 0)
    with pytest.raises(UserError, match=r"2 GiB.*: type detector\.path=<a smaller model>, in a"):
        look(images)
