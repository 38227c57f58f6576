"""The services of a stack: how each is prepared, started and checked."""
