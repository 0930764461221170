"""Whoever checks captions."""
