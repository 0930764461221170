"""Images in, verified and grounded training data out."""
