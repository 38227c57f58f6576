"""The number of a run in its project: assigned once, stored in the Postgres schema ``control``."""
