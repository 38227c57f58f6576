"""The alerts consumer: stores the alerts of runs, and marks repeats by the broker's clock."""
