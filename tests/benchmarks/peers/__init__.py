"""Other trackers, each a program that runs in a separate environment and prints the nanoseconds of its calls."""
