"""A finished run as something to share: what it needs to be asked, its card, its files."""
