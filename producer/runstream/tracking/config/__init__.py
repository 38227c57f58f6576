"""The config of a run."""
