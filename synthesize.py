"""Make verified, grounded training data of images: ``python synthesize.py images=<folder>``."""

from pathlib import Path

import hydra
from omegaconf import DictConfig

from groundrl.launch.main import check_command_line
from groundrl.launch.main import main as launch


@hydra.main(version_base="1.3", config_path="conf", config_name="synthesize")
def main(cfg: DictConfig) -> None:
    launch("synthesize", cfg)


if __name__ == "__main__":
    check_command_line("synthesize", Path(__file__).parent)
    main()
