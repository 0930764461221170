"""What a completion is worth: one term per file, summed by ``base.RewardSum``."""
