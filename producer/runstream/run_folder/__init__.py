"""The folder of a run: its files, and the descriptions of the run and of its writers."""
