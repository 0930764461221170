"""The study of soft prompts, end to end: a teacher, two jobs of the grid, the table."""

import json
from pathlib import Path

import pytest
from test_multirun import train

from groundrl.data.schema import read_jsonl


@pytest.mark.slow
def test_soft_prompts_learn_answers_alone_and_those_of_a_run(tmp_path: Path) -> None:
    teacher, study = tmp_path / "teacher", tmp_path / "study"
    long = "stage.grpo.module.sampler.sampling.max_tokens=96"
    tiny = ["debug=tiny", "data.heldout_size=2", long, f"cache_dir={tmp_path / 'cache'}"]
    # The embedded model answers without reasoning; a few steps teach it some.
    fast = [
        f"stage.sft.{x}" for x in ("steps=6", "prompts_per_step=8", "module.optimization.lr=0.1")
    ]
    brief = [*fast, "stage.sft.module.optimization.warmup=1", "adapter=soft_prompt"]
    done = train(*tiny, *brief, "pipeline=[sft]", f"output_dir={teacher}")
    assert done.returncode == 0, done.stderr
    jobs = ["adapter.tokens=3", "pipeline=[sft],[distillation]", "seed=0"]
    where = [f"stage.distillation.teacher.run={teacher}", f"output_dir={study}"]
    done = train("-m", "sweeps=prompt_tuning", *tiny, *jobs, *where)
    assert done.returncode == 0, done.stderr
    for stage in ("sft", "distillation"):
        folder = study / f"pipeline=[{stage}]" / "seed=0"
        metrics = json.loads((folder / "metrics.json").read_text())
        assert {"tabletop/acc", "tabletop/acc_strict"} <= metrics[stage].keys()
        adapter = json.loads((folder / "adapter" / "adapter_config.json").read_text())
        assert (adapter["peft_type"], adapter["num_virtual_tokens"]) == ("PROMPT_TUNING", 3)
    learned = read_jsonl(folder / "distillation" / "traces.jsonl")
    assert 0 < len(learned) <= 16
    assert all(sample.rationale for sample in learned)
    assert (study / "table.md").is_file()
