"""The writers of a run folder: reading their spools, their processes and exits, heartbeats, stop requests."""
