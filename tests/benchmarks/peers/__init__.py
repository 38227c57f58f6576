"""Other trackers, each a program that runs in an environment of its own and prints the nanoseconds of its calls."""
