"""``init()``: identity, server lookup, resume."""
