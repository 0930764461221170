"""One class adds a detector."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from hydra.utils import instantiate
from omegaconf import OmegaConf
from synthesis_runs import synthesis

from groundrl.config.check import check_config
from groundrl.detectors.base import Detector, clip_region
from groundrl.detectors.records import InputImage, Region
from groundrl.errors import UserError


@dataclass(frozen=True, slots=True, kw_only=True)
class CentreDetector:
    """One object in the middle of every image."""

    label: str
    side: float = 0.5
    """Share of the image."""

    @property
    def name(self) -> str:
        return f"centre {self.label} {self.side}"

    @property
    def vocabulary(self) -> tuple[str, ...]:
        return (self.label,)

    def __call__(self, images: Sequence[InputImage]) -> list[tuple[Region, ...]]:
        return [self._regions(image) for image in images]

    def _regions(self, image: InputImage) -> tuple[Region, ...]:
        width, height = image.source.width, image.source.height
        low, high = (1 - self.side) / 2, (1 + self.side) / 2
        corners = (low * width, low * height, high * width, high * height)
        region = clip_region(self.label, corners, 1.0, image.source)
        return () if region is None else (region,)


OPTION = {"_target_": f"{__name__}.CentreDetector", "label": "thing"}


def test_its_option_is_checked_like_those_of_the_package() -> None:
    check_config(OmegaConf.create({"detector": OPTION}))
    with pytest.raises(UserError, match=r"detector\.sides: CentreDetector has no argument"):
        check_config(OmegaConf.create({"detector": {**OPTION, "sides": 0.2}}))


def test_synthesis_makes_samples_of_its_regions(tmp_path: Path) -> None:
    detector = instantiate(OPTION)
    assert isinstance(detector, Detector)
    run = synthesis(tmp_path / "run", detector=detector, verifier=None)
    run.run()
    lines = (run.run_dir / "images.jsonl").read_text().splitlines()
    images = [json.loads(line) for line in lines]
    assert {region["label"] for row in images for region in row["regions"]} == {"thing"}
    assert {tuple(r["box"]) for row in images for r in row["regions"]} == {(40, 40, 120, 120)}
