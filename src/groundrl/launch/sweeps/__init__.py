"""Sweeps: the grid, jobs side by side, and what follows the last one."""
