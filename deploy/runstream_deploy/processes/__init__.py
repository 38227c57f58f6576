"""Child processes: start, stop, ports, log rotation, and the reaper, which leaves none running."""
