"""A model family: ViP-LLaVA (arXiv 2312.00784)."""

from groundrl.policy.family import ModelFamily


def vip_llava() -> ModelFamily:
    """Facts that cannot be read off the class."""
    return ModelFamily(features_in_one_tensor=True)
