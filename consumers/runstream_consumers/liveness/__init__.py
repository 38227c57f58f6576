"""Liveness: the state of every run, derived from heartbeats, ticks and goodbyes."""
