"""Make verified, grounded training data of pictures: ``python synthesize.py images=<folder>``."""

import sys
from pathlib import Path

import hydra
from omegaconf import DictConfig, OmegaConf

from groundrl.config import explain_overrides, register_resolvers
from groundrl.config.script import continuation, give_up, prepared, telling_the_user
from groundrl.errors import UserError

ROOT = Path(__file__).parent


@hydra.main(version_base="1.3", config_path="conf", config_name="synthesize")
def main(cfg: DictConfig) -> None:
    """Check the whole config, then build, then look and write."""
    with telling_the_user(cfg):
        run(cfg)


def run(cfg: DictConfig) -> None:
    """Nothing heavy is imported before the config is known to be right."""
    run_dir = prepared(cfg, begun="pictures.jsonl")
    from groundrl.config.synthesis import build_synthesis

    synthesis = build_synthesis(cfg, run_dir)
    unfinished, spent = synthesis.run(), synthesis.spent
    if spent is not None:
        keys = [f"{role}.chat.spending.budget" for role in ("teacher", "verifier")]
        more = {
            key: f"<more than {spent.budget}>"
            for key in keys
            if OmegaConf.select(cfg, key) == spent.budget
        }
        told = f"{unfinished} pictures are unfinished: the budget is spent, {spent.spent}."
        give_up(1, f"{told}\nTo go on, type\n  {continuation(cfg, more)}")
    if unfinished:
        told = f"{unfinished} pictures are unfinished: somebody could not be reached."
        give_up(1, f"{told}\nTo go on, type\n  {continuation(cfg)}")


if __name__ == "__main__":
    try:
        register_resolvers(ROOT)
        explain_overrides(sys.argv[1:], ROOT / "conf", "synthesize")
    except UserError as error:
        give_up(2, str(error))
    main()
