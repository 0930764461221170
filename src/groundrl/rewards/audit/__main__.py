"""``python -m groundrl.rewards.audit reward=iou+acc``: see ``groundrl.launch.commands.audit``."""

import sys

from groundrl.launch.logs import silence_libraries

if __name__ == "__main__":
    silence_libraries()  # before the libraries are imported: they read their settings then
    from groundrl.launch.commands.audit import main

    sys.exit(main(sys.argv[1:]))
