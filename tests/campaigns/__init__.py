"""Campaigns that attack the project: kill it, feed it damaged files, break its machine, run it for
long. docs/robustness.md has what is promised and what was measured."""
