"""Log-probabilities of many completions behind one prompt."""
