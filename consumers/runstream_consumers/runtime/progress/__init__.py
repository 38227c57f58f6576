"""Offsets and record numbers: what is new in a batch. Pure."""
