"""Consumers of the run events, and the read side."""
