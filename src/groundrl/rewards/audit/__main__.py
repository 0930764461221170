"""``python -m groundrl.rewards.audit reward=iou+acc``: see ``groundrl.launch.commands.audit``."""

import sys

from groundrl.launch.commands.audit import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
