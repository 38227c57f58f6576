"""Media as values to log: each is recorded as a small dict in the row, and as a file of the run."""
