"""LLaVA-OneVision (arXiv 2408.03326)."""

from groundrl.policy.family import ModelFamily

FAMILY = ModelFamily()
