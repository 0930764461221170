"""``python -m groundrl.watch outputs/my_run``: see ``groundrl.watch.server``."""

import sys

from groundrl.watch.server import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
