"""Does a reward pay for cheating? A bank of cheats, a search for new ones, and their page."""
