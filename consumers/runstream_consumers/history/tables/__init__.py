"""Rows of a view column by column."""
