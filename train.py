"""Train a grounded vision-language model: ``python train.py reward=iou+acc``."""

import sys
from pathlib import Path

import hydra
from omegaconf import DictConfig

from groundrl.config import explain_overrides, register_resolvers
from groundrl.config.script import give_up, prepared, telling_the_user
from groundrl.errors import UserError

ROOT = Path(__file__).parent


@hydra.main(version_base="1.3", config_path="conf", config_name="train")
def main(cfg: DictConfig) -> None:
    """Check the whole config, then build, then train."""
    with telling_the_user(cfg):
        run(cfg)


def run(cfg: DictConfig) -> None:
    """Nothing heavy is imported before the config is known to be right."""
    run_dir = prepared(cfg, begun="checkpoints")
    from groundrl.config.build import build_training

    build_training(cfg, run_dir).run()


if __name__ == "__main__":
    try:
        register_resolvers(ROOT)
        explain_overrides(sys.argv[1:], ROOT / "conf", "train")
    except UserError as error:
        give_up(2, str(error))
    main()
