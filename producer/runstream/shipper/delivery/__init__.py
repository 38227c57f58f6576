"""Delivering the writers of a run: connecting, reading and sending, saving."""
