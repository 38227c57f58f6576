"""How the events of a run are read as its summary: a pure fold, and what is shown of it (docs/summary.md)."""
