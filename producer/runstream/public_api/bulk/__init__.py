"""Rows that are read in bulk, as columns."""
