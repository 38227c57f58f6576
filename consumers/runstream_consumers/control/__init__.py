"""The Postgres schema ``control``: decisions that span runs, which cannot be rebuilt from the topics."""
