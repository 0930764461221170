"""Detectors find objects in images: open-vocabulary models, a VLM, given boxes, the scene graph."""
