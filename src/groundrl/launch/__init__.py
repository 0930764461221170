"""Composes a config, checks it, builds what it names and runs it."""
