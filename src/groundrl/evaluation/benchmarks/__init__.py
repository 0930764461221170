"""The field's benchmarks: where questions come from, how answers are read, which figures result."""
