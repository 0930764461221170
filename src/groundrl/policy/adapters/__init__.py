"""What is trained of a policy: LoRA, soft prompts, the vision tower."""
