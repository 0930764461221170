"""364 real photographs of blood cells in the layout of Pascal VOC."""

from collections import Counter
from pathlib import Path

import pytest

from groundrl.data.box_questions import ask_all
from groundrl.data.detection.voc import VocLayout

ROOT = Path(__file__).parents[2].parent / "shared/data/bccd"
pytestmark = pytest.mark.skipif(not ROOT.is_dir(), reason=f"the photographs are not here ({ROOT})")


@pytest.mark.slow
def test_all_splits_are_read_and_asked_about_in_english() -> None:
    sets = {split: VocLayout().read(ROOT, split) for split in ("train", "val", "test")}
    assert {split: len(found.images) for split, found in sets.items()} == {
        "train": 205,
        "val": 87,
        "test": 72,
    }
    labels = Counter(g.label for image in sets["train"].images for g in image.groundings)
    assert labels == {"RBC": 2382, "WBC": 214, "Platelets": 209}
    asked = {sample.question for sample in ask_all(sets["train"], seed=0)}
    assert {"Is there a platelet in the picture?", "How many WBCs are in the picture?"} <= asked
