"""The files consumer: the files of runs, by name."""
