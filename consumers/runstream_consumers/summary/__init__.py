"""Summary: what a run shows in one line, folded from all it said."""
