"""Pictures in, verified and grounded training data out."""
