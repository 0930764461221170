"""Score a vision-language model on benchmarks: ``python evaluate.py benchmark=pope run=<run>``."""

from pathlib import Path

import hydra
from omegaconf import DictConfig

from groundrl.launch.main import check_command_line
from groundrl.launch.main import main as launch


@hydra.main(version_base="1.3", config_path="conf", config_name="evaluate")
def main(cfg: DictConfig) -> None:
    launch("evaluate", cfg)


if __name__ == "__main__":
    check_command_line("evaluate", Path(__file__).parent)
    main()
