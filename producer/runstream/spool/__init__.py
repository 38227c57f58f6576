"""The spool: what a training process accepted, on disk, until a broker has it."""
