"""Child processes: start, stop, ports, rotated logs, and nothing left running."""
