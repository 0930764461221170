"""Whoever writes captions."""
