"""Trains the embedded model from scratch: lessons, stage, report."""
