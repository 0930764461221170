"""Qwen3.5: layers with a recurrent state, so prompts are computed once per completion."""

from groundrl.policy.family import ModelFamily

FAMILY = ModelFamily(packed_tower=True)
