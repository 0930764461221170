"""How work runs: processes, batches, progress, stopping."""
