"""Liveness: the state of every run, folded from beats, ticks and goodbyes."""
