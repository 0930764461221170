"""Score a vision-language model on benchmarks: ``python evaluate.py benchmark=pope run=<run>``."""

import sys
from pathlib import Path

import hydra
from omegaconf import DictConfig

from groundrl.errors import UserError
from groundrl.launch.overrides import explain_overrides
from groundrl.launch.resolvers import register_resolvers
from groundrl.launch.script import exit_with, prepare_run_dir, report_user_errors

ROOT = Path(__file__).parent


@hydra.main(version_base="1.3", config_path="conf", config_name="evaluate")
def main(cfg: DictConfig) -> None:
    """Check the whole config, then build, then ask and judge."""
    with report_user_errors(cfg):
        run(cfg)


def run(cfg: DictConfig) -> None:
    """Nothing heavy is imported before the config is known to be right."""
    run_dir = prepare_run_dir(cfg, begun="predictions.jsonl")
    from groundrl.launch.evaluation import build_evaluation, take_run

    take_run(cfg)
    text = build_evaluation(cfg, run_dir).run()
    if text:
        print(text)


if __name__ == "__main__":
    try:
        register_resolvers(ROOT)
        explain_overrides(sys.argv[1:], ROOT / "conf", "evaluate")
    except UserError as error:
        exit_with(2, str(error))
    main()
