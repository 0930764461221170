"""Train a grounded vision-language model: ``python train.py reward=iou+acc``."""

import shlex
import sys
from pathlib import Path
from typing import NoReturn

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig

from groundrl.config import explain_overrides, register_resolvers
from groundrl.errors import UserError, is_disk_full

ROOT = Path(__file__).parent


@hydra.main(version_base="1.3", config_path="conf", config_name="train")
def main(cfg: DictConfig) -> None:
    """Check the whole config, then build, then train."""
    try:
        run(cfg)
    except UserError as error:
        if HydraConfig.get().mode is RunMode.MULTIRUN:
            raise
        give_up(2, str(error))
    except KeyboardInterrupt as stop:
        give_up(130, f"{stop or 'interrupted'}\nTo go on, type\n  {continuation(cfg)}")


def run(cfg: DictConfig) -> None:
    """Nothing heavy is imported before the config is known to be right."""
    from groundrl.config import check_config, check_resume, save_resolved
    from groundrl.stages.quiet import quiet

    quiet()
    check_config(cfg)
    run_dir = run_directory(cfg)
    if cfg.resume or (run_dir / "checkpoints").exists():
        check_resume(cfg, run_dir)
    else:
        save_resolved(cfg, run_dir / "resolved.yaml")
    from groundrl.config.build import build_training

    try:
        build_training(cfg, run_dir).run()
    except OSError as error:
        if not is_disk_full(error):
            raise
        raise UserError(
            f"no space left on the disk ({error.filename or run_dir}): free some, then type\n"
            f"  {continuation(cfg)}"
        ) from error
    print(run_dir)


def run_directory(cfg: DictConfig) -> Path:
    """Where the run is kept."""
    return Path(cfg.resume or HydraConfig.get().runtime.output_dir)


def continuation(cfg: DictConfig) -> str:
    """The command that goes on with this run, or with the multirun that it belongs to."""
    if HydraConfig.get().mode is RunMode.MULTIRUN:
        typed, place = sys.argv[1:], f"output_dir={HydraConfig.get().sweep.dir}"
    else:
        typed, place = HydraConfig.get().overrides.task, f"resume={run_directory(cfg)}"
    kept = [line for line in typed if not line.startswith(("resume=", "output_dir="))]
    return shlex.join(["python", sys.argv[0], *kept, place])


def give_up(status: int, message: str) -> NoReturn:
    """Say why on standard error; 2 means that the user can fix it, 130 that the user stopped it."""
    print(f"\n{message}", file=sys.stderr)
    sys.exit(status)


if __name__ == "__main__":
    try:
        register_resolvers(ROOT)
        explain_overrides(sys.argv[1:], ROOT / "conf", "train")
    except UserError as error:
        give_up(2, str(error))
    main()
