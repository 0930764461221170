"""``python -m groundrl.rewards.audit reward=iou+acc``: see ``groundrl.launch.audit``."""

import sys

from groundrl.launch.audit import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
