"""How the reward of one completion comes about: every term, every box, every failure."""
