"""Lists of runs: conditions, orders and pages."""
