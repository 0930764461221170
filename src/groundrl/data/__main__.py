"""``python -m groundrl.data data=voc data.root=...``: see ``launch/commands/data_page.py``."""

import sys

from groundrl.launch.logs import silence_libraries

if __name__ == "__main__":
    silence_libraries()  # before the libraries are imported: they read their settings then
    from groundrl.launch.commands.data_page import main

    sys.exit(main(sys.argv[1:]))
