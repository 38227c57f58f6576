"""The consumer that maintains the config and the summary of each run."""
