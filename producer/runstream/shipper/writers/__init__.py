"""The writers of a run folder: processes, exits, heartbeats."""
