"""The metric's states are shared between processes: two halves give the figures of the whole."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch.distributed
from torch.multiprocessing.spawn import spawn

from groundrl.boxes import Box, Frame, ImageSizes
from groundrl.evaluation.grounding import GroundedAnswer, GroundingMetrics

SIZES = ImageSizes(width=100, height=80, model_width=56, model_height=56)


def outcomes(count: int) -> list[GroundedAnswer]:
    """Some right, some with boxes, three questions about each image."""
    box = Box(x1=0.0, y1=0.0, x2=10.0, y2=10.0, frame=Frame.PIXEL)
    first = GroundedAnswer(
        correct=True,
        unparsed=False,
        predicted=(box,),
        true=(box,),
        sizes=SIZES,
        boxes_read=True,
        format_ok=True,
        truncated=False,
        tokens=3,
        image_key="0",
    )
    return [
        replace(
            first,
            correct=number % 3 == 0,
            predicted=(box,) * (number % 4),
            tokens=number,
            image_key=str(number // 3),
        )
        for number in range(count)
    ]


def work(rank: int, folder: str) -> None:
    """A process that saw five or four of nine answers."""
    store = f"file://{folder}/store"
    torch.distributed.init_process_group("gloo", init_method=store, rank=rank, world_size=2)
    metric = GroundingMetrics()
    metric.update(outcomes(9)[:5] if rank == 0 else outcomes(9)[5:])
    (Path(folder) / f"{rank}.json").write_text(json.dumps(metric.compute()))
    torch.distributed.destroy_process_group()


@pytest.mark.slow
@pytest.mark.skipif(not torch.distributed.is_available(), reason="torch without distributed")
def test_processes_that_share_the_answers_compute_what_one_computes(tmp_path: Path) -> None:
    whole = GroundingMetrics()
    whole.update(outcomes(9))
    spawn(work, args=(str(tmp_path),), nprocs=2)
    for rank in (0, 1):
        assert json.loads((tmp_path / f"{rank}.json").read_text()) == pytest.approx(whole.compute())
