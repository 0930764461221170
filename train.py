"""Train a grounded vision-language model: ``python train.py reward=iou+acc``."""

from pathlib import Path

import hydra
from omegaconf import DictConfig

from groundrl.launch.main import check_command_line
from groundrl.launch.main import main as launch


@hydra.main(version_base="1.3", config_path="conf", config_name="train")
def main(cfg: DictConfig) -> None:
    launch("train", cfg)


if __name__ == "__main__":
    check_command_line("train", Path(__file__).parent)
    main()
