"""``python -m groundrl.data data=voc data.root=...``: see ``launch/commands/data_page.py``."""

import sys

from groundrl.launch.commands.data_page import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
