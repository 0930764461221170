"""The commands beside the three scripts."""
