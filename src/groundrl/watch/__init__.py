"""A run on a page while it goes on."""
