"""The jobs of a multirun."""

import pytest

from groundrl.launch.sweeps.grid import Grid, parse_options

PARAMS = {"reward": "acc,iou+acc", "seed": "0,1,2"}


def test_a_grid_is_every_combination_in_order() -> None:
    grid = Grid.of(PARAMS, parse_options(["sweeps=x", "adapter=lora"]))
    assert grid.size == 6
    assert next(iter(grid.jobs())) == ("reward=acc", "seed=0", "sweeps=x", "adapter=lora")
    assert grid.names()[:4] == ["acc/seed=0", "acc/seed=1", "acc/seed=2", "iou+acc/seed=0"]
    assert grid.rows() == ["acc", "iou+acc"]


@pytest.mark.parametrize(
    ("typed", "rows", "size"),
    [
        (["seed=7"], ["acc", "iou+acc"], 2),
        (["reward=iou"], ["iou"], 3),
        (["adapter=lora,qlora"], ["acc/adapter=lora", "acc/adapter=qlora"], 12),
        (["seed=range(0,1000)", "stage.lr=range(0,1000)"], [], 2_000_000),
        (["stage.lr=interval(0,1)"], ["acc/stage.lr=interval(0,1)"], 6),
    ],
)
def test_typed_options_win_and_multiply(typed: list[str], rows: list[str], size: int) -> None:
    grid = Grid.of(PARAMS, parse_options(typed))
    assert grid.size == size
    if rows:
        assert grid.rows()[: len(rows)] == rows


def test_a_grid_without_options_is_one_job() -> None:
    grid = Grid.of({}, [])
    assert (grid.size, grid.names(), grid.rows()) == (1, ["run"], ["run"])
