"""Scores of a model on held-out questions, each with its uncertainty."""
