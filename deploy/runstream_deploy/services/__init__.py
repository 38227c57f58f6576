"""The servers of a stack: how each is set up, started, and asked whether it is ready."""
