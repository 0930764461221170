"""Data sets from one format into another, with a report of what was lost."""
