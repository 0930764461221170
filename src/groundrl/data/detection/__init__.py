"""Readers of detection data sets, one file per layout."""
