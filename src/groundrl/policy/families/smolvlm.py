"""SmolVLM and SmolVLM2 (arXiv 2504.05299)."""

from groundrl.policy.family import ModelFamily

FAMILY = ModelFamily(features_in_one_tensor=True)
