"""``python -m groundrl.rewards.explain --record FILE``: see ``launch/commands/explain.py``."""

import sys

from groundrl.launch.logs import silence_libraries

if __name__ == "__main__":
    silence_libraries()  # before the libraries are imported: they read their settings then
    from groundrl.launch.commands.explain import main

    sys.exit(main(sys.argv[1:]))
