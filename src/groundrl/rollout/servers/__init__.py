"""Sampling by vLLM servers, which may run on other machines, restart and fail."""
