"""Process lifecycle: exit hooks, console capture, delivery, the final report."""
