"""Jobs of two sweeps use one cache folder at once: processes of their own, all three caches."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from groundrl.files import write_json
from groundrl.stages.pipeline import PROGRESS

ROOT = Path(__file__).parents[1]
JOB = """
import sys
from contextlib import closing
from pathlib import Path
import torch
from groundrl.policy.vision_store import VisionFeatures, VisionStore
from groundrl.stages.pipeline import Warmup
from groundrl.synthesis.annotate import ResultKey
from groundrl.synthesis.annotations import Caption
from groundrl.synthesis.codec import Stage
from groundrl.synthesis.result_cache import ResultCache

cache, run, cpu = Path(sys.argv[1]), Path(sys.argv[2]), torch.device("cpu")
print("ready", flush=True)
sys.stdin.readline()
store, found = VisionStore(cache / "vision", max_gb=2e-6), 0  # room for six files
key = ResultKey(Stage.CAPTION, "teacher", "abc")
with closing(ResultCache(cache / "synthesis.sqlite")) as results:
    for turn in range(300):
        number = turn % 10
        tokens = torch.full((8, 8), float(number))
        path = cache / "vision" / "ab" / f"{number}.safetensors"
        features = store.read(path, cpu)
        if features is None:
            store.write(path, VisionFeatures(tokens=tokens, deepstack=()))
        else:
            assert torch.equal(features.tokens, tokens)
            found += 1
        results.save(str(turn), {key: Caption(text=str(turn))})
        assert results.load(str(turn)) == {key: Caption(text=str(turn))}
        if turn % 10 == 0:
            warmup = Warmup(folder=cache / "warmup" / str(turn))
            if not warmup.folder.is_dir():
                warmup.store(run, "sft")
            warmup.fetch(run / str(turn))
assert found
"""


@pytest.mark.slow
def test_jobs_of_two_sweeps_share_a_cache_folder(tmp_path: Path) -> None:
    cache, runs = tmp_path / "cache", [tmp_path / name for name in "ab"]
    for run in runs:
        write_json(run / PROGRESS, {"start": {}, "sft": {"x/acc": 0.5}})
        write_json(run / "checkpoints/sft/adapter/weights.json", [1.0] * 1000)
    jobs = [
        subprocess.Popen(
            [sys.executable, "-c", JOB, str(cache), str(run)],
            env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for run in runs
    ]
    for job in jobs:
        assert job.stdout is not None
        assert job.stdout.readline() == "ready\n", job.communicate()[1]
    for job in jobs:
        assert job.stdin is not None
        job.stdin.write("go\n")
        job.stdin.flush()
    for job in jobs:
        _, errors = job.communicate()
        assert job.returncode == 0, errors
    for run in runs:
        for turn in range(0, 300, 10):
            fetched = run / str(turn) / "checkpoints/sft/adapter/weights.json"
            assert fetched.read_text() == (run / fetched.relative_to(run / str(turn))).read_text()
    hidden = [path.name for path in cache.rglob(".*")]
    assert hidden == []  # no half-written file, no claim
    assert len([*(cache / "warmup").iterdir()]) == 30
