"""``python -m groundrl.ask image=photo.jpg "Where is the cup?"``: see ``groundrl.launch.ask``."""

import sys

from groundrl.launch.logs import silence_libraries

if __name__ == "__main__":
    silence_libraries()  # before the libraries are imported: they read their settings then
    from groundrl.launch.ask import main

    sys.exit(main(sys.argv[1:]))
