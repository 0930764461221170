"""Verifiers: they keep, repair or reject captions."""
