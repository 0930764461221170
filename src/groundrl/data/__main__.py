"""``python -m groundrl.data data=voc data.root=...``: see ``groundrl.launch.data_page``."""

import sys

from groundrl.launch.data_page import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
