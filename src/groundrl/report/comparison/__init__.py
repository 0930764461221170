"""Several runs on one page: curves, tests, and the same questions side by side."""
