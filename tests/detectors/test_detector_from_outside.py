"""One class adds a detector."""

import json
from pathlib import Path

import pytest
from hydra.utils import instantiate
from omegaconf import OmegaConf
from synthesis_runs import synthesis

from groundrl.config.check import check_config
from groundrl.detectors.base import Detector
from groundrl.errors import UserError

OPTION = {"_target_": "mylab.detectors.CentreDetector", "label": "thing"}


def test_its_option_is_checked_like_those_of_the_package() -> None:
    check_config(OmegaConf.create({"detector": OPTION}))
    with pytest.raises(UserError, match=r"detector\.sides: CentreDetector has no argument"):
        check_config(OmegaConf.create({"detector": {**OPTION, "sides": 0.2}}))


@pytest.mark.slow
def test_synthesis_makes_samples_of_its_regions(tmp_path: Path) -> None:
    detector = instantiate(OPTION)
    assert isinstance(detector, Detector)
    run = synthesis(tmp_path / "run", detector=detector, verifier=None)
    run.run()
    lines = (run.run_dir / "images.jsonl").read_text().splitlines()
    images = [json.loads(line) for line in lines]
    assert {region["label"] for row in images for region in row["regions"]} == {"thing"}
    assert {tuple(r["box"]) for row in images for r in row["regions"]} == {(40, 40, 120, 120)}
