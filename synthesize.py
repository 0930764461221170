"""Make verified, grounded training data of images: ``python synthesize.py images=<folder>``."""

import sys
from pathlib import Path

import hydra
from omegaconf import DictConfig, OmegaConf

from groundrl.errors import UserError
from groundrl.launch.overrides import explain_overrides
from groundrl.launch.resolvers import register_resolvers
from groundrl.launch.script import exit_with, prepare_run_dir, report_user_errors, resume_command

ROOT = Path(__file__).parent


@hydra.main(version_base="1.3", config_path="conf", config_name="synthesize")
def main(cfg: DictConfig) -> None:
    """Check the whole config, then build, then look and write."""
    with report_user_errors(cfg):
        run(cfg)


def run(cfg: DictConfig) -> None:
    """Nothing heavy is imported before the config is known to be right."""
    run_dir = prepare_run_dir(cfg, begun="images.jsonl")
    from groundrl.launch.synthesis import build_synthesis

    synthesis = build_synthesis(cfg, run_dir)
    unfinished, spent = synthesis.run(), synthesis.spent
    if spent is not None:
        keys = [f"{role}.chat.spending.budget" for role in ("teacher", "verifier")]
        more = {
            key: f"<more than {spent.budget}>"
            for key in keys
            if OmegaConf.select(cfg, key) == spent.budget
        }
        told = f"{unfinished} images are unfinished: the budget is spent, {spent.spent}."
        exit_with(1, f"{told}\nTo go on, type\n  {resume_command(cfg, more)}")
    if unfinished:
        told = f"{unfinished} images are unfinished: somebody could not be reached."
        exit_with(1, f"{told}\nTo go on, type\n  {resume_command(cfg)}")


if __name__ == "__main__":
    try:
        register_resolvers(ROOT)
        explain_overrides(sys.argv[1:], ROOT / "conf", "synthesize")
    except UserError as error:
        exit_with(2, str(error))
    main()
