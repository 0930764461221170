"""One reward term a file: formula, range, source, what games it."""
