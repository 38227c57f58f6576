"""Commands about what the object store has: the files of runs, and artifacts."""
