"""Rewards of completions: one term per file, summed by ``base.RewardSum``."""
