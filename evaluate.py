"""Score a vision-language model on benchmarks: ``python evaluate.py benchmark=pope run=<run>``."""

import sys
from pathlib import Path

import hydra
from omegaconf import DictConfig

from groundrl.config import explain_overrides, register_resolvers
from groundrl.config.script import give_up, prepared, telling_the_user
from groundrl.errors import UserError

ROOT = Path(__file__).parent


@hydra.main(version_base="1.3", config_path="conf", config_name="evaluate")
def main(cfg: DictConfig) -> None:
    """Check the whole config, then build, then ask and judge."""
    with telling_the_user(cfg):
        run(cfg)


def run(cfg: DictConfig) -> None:
    """Nothing heavy is imported before the config is known to be right."""
    run_dir = prepared(cfg, begun="predictions.jsonl")
    from groundrl.config.evaluation import build_evaluation, take_run

    take_run(cfg)
    build_evaluation(cfg, run_dir).run()


if __name__ == "__main__":
    try:
        register_resolvers(ROOT)
        explain_overrides(sys.argv[1:], ROOT / "conf", "evaluate")
    except UserError as error:
        give_up(2, str(error))
    main()
