"""A download that is not complete."""

from pathlib import Path
from typing import Any

import pytest

from groundrl.errors import UserError
from groundrl.evaluation.benchmarks.aokvqa import AOKVQA
from groundrl.evaluation.benchmarks.chair import CHAIR
from groundrl.evaluation.benchmarks.choice import DrivingVQA
from groundrl.evaluation.benchmarks.rel3d import Rel3D
from groundrl.evaluation.benchmarks.statements import VSR, SpatialSense


@pytest.mark.parametrize(
    ("benchmark", "file"),
    [
        (VSR, "**/zeroshot/test.jsonl"),
        (SpatialSense, "**/annotations.json"),
        (Rel3D, "**/c_0.9_c_0.1.json"),
        (CHAIR, "**/instances_val2014.json"),
        (AOKVQA, "**/aokvqa_v1p0_val.json"),
        (DrivingVQA, "**/test.json"),
    ],
)
def test_every_missing_file_is_listed_with_where_to_get_it(
    tmp_path: Path, benchmark: Any, file: str
) -> None:
    with pytest.raises(UserError) as told:
        benchmark(root=str(tmp_path / "no")).questions()
    assert f"\n  {file}: get it from http" in str(told.value)
