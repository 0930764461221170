"""Train vision-language models that point at what they talk about."""
