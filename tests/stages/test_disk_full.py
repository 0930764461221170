"""A checkpoint that does not fit on the disk is told once, and the one before it stays."""

import shutil
from pathlib import Path

import pytest
from stage_runs import MakePolicy, sft_module, train

from groundrl.errors import UserError
from groundrl.policy.prompt import Prompt
from groundrl.records import Sample
from groundrl.stages.fitting.checkpoint_file import read_checkpoint


def test_a_full_disk_is_one_error_and_the_last_checkpoint_stays(
    make_policy: MakePolicy, small_disk: Path
) -> None:
    module = sft_module(make_policy())
    last = small_disk / "checkpoints" / "stage" / "last.ckpt"
    encode, steps = module.target, iter(range(100))

    def target(sample: Sample, prompt: Prompt) -> list[int]:
        # Three prompts a step, a checkpoint after every step: the third finds the disk full.
        if next(steps) == 6:
            free = shutil.disk_usage(small_disk).free
            # Room for the curves, not for a checkpoint.
            (small_disk / "someone_elses").write_bytes(bytes(free - 65536))
        return encode(sample, prompt)

    module.target = target
    with pytest.raises(UserError, match=r"no space left .* the one before it is kept") as told:
        train(module, small_disk)
    assert "\n" not in str(told.value)
    assert {file.name for file in last.parent.iterdir()} == {"last.ckpt", "previous.ckpt"}
    assert read_checkpoint(last)["global_step"] == 2
    (small_disk / "someone_elses").unlink()
    resumed = sft_module(make_policy())
    train(resumed, small_disk)
    assert read_checkpoint(last)["global_step"] == 4
