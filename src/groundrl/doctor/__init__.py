"""What this machine has, what runs on it, and what models would need."""
