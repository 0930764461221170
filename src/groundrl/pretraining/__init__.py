"""Makes the embedded model."""
