"""A completion as an attempt, read once; records of answers."""
