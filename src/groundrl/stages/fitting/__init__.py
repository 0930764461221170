"""What the stages share of training: batches, optimizer, checkpoints, metrics."""
