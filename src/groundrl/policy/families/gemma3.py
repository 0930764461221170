"""Gemma 3 (arXiv 2503.19786): the tokens of one image attend to each other."""

from groundrl.policy.family import ModelFamily

FAMILY = ModelFamily(images_see_themselves=True, features_in_one_tensor=True)
