"""The page of a synthesis."""
