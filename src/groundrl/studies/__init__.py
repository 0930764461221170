"""What a study claims, and whether a sweep bears it out."""
