"""Rows of files and hub data sets, read when a step needs them."""
