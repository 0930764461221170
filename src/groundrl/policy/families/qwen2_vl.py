"""Qwen2-VL (arXiv 2409.12191)."""

from groundrl.policy.family import ModelFamily

FAMILY = ModelFamily(packed_tower=True)
