"""The policy: a vision-language model, its adapter and its exact log-probabilities."""
