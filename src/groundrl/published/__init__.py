"""Published data sets: their files become Samples, for training and for benchmarks alike."""
