"""Qwen2.5-VL (arXiv 2502.13923): the tower attends within windows."""

from groundrl.policy.family import ModelFamily

FAMILY = ModelFamily(packed_tower=True)
