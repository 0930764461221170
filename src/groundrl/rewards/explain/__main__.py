"""``python -m groundrl.rewards.explain --record FILE``: see ``groundrl.launch.explain``."""

import sys

from groundrl.launch.explain import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
