"""Captions and descriptions of scenes, and what they assert."""
