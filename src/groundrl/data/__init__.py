"""Samples from files and from the embedded world, in an order that is a function of the step."""
