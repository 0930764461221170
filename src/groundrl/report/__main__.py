"""``python -m groundrl.report outputs/my_sweep``: see ``groundrl.report.comparison.command``."""

import sys

from groundrl.launch.logs import silence_libraries

if __name__ == "__main__":
    silence_libraries()  # before the libraries are imported: they read their settings then
    from groundrl.report.comparison.command import main

    sys.exit(main(sys.argv[1:]))
