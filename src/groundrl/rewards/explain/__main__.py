"""``python -m groundrl.rewards.explain --record FILE``: see ``launch/commands/explain.py``."""

import sys

from groundrl.launch.commands.explain import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
