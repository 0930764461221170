"""Idefics3 (arXiv 2408.12637)."""

from groundrl.policy.family import ModelFamily

FAMILY = ModelFamily(features_in_one_tensor=True)
