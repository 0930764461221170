"""The files of a run: samples, records of images, card, figures and report."""
