"""Whoever finds objects: see ``Detector``."""
