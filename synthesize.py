"""Turns images into verified, grounded training data: ``python synthesize.py images=<folder>``."""

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
    """Check the whole config, then build and run the synthesis."""
    with report_user_errors(cfg):
        run(cfg)


def run(cfg: DictConfig) -> None:
    """Nothing heavy is imported before the config is known to be right."""
    run_dir = prepare_run_dir(cfg, begun="images.jsonl")
    from groundrl.launch.synthesis import build_synthesis
    from groundrl.synthesis.output.writing import SKIPPED_FILE

    totals = build_synthesis(cfg, run_dir).run()
    if totals.skipped:
        print(f"{len(totals.skipped)} images are skipped: {run_dir / SKIPPED_FILE}")
    print(run_dir)
    if totals.unfinished:
        reason, changed = "a model was unreachable", {}
        if (spent := totals.budget_spent) is not None:
            reason = f"the budget is spent, {spent.spent}"
            keys = [f"{role}.chat.spending.budget" for role in ("teacher", "verifier")]
            changed = {
                key: f"<more than {spent.budget}>"
                for key in keys
                if OmegaConf.select(cfg, key) == spent.budget
            }
        message = f"{totals.unfinished} images are unfinished: {reason}."
        exit_with(1, f"{message}\nTo go on, type\n  {resume_command(cfg, changed)}")


if __name__ == "__main__":
    try:
        register_resolvers(ROOT)
        explain_overrides(sys.argv[1:], ROOT / "conf", "synthesize")
    except UserError as error:
        exit_with(2, str(error))
    main()
