"""Plots without a script."""
