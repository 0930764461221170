"""Rollout engines, and the sampler that turns samples into groups of completions."""
