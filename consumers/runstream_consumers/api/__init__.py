"""The HTTP read side."""
