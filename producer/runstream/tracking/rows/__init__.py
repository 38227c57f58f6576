"""Rows and metric definitions: steps, commits, last values."""
