"""Qwen3-VL (arXiv 2511.21631); the embedded model is of this family."""

from groundrl.policy.family import ModelFamily

FAMILY = ModelFamily(packed_tower=True)
