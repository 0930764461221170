"""InternVL3 (arXiv 2504.10479)."""

from groundrl.policy.family import ModelFamily

FAMILY = ModelFamily(features_in_one_tensor=True)
