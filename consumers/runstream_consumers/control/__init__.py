"""Decisions that span runs and are made once: what no replay may make again, kept in the schema ``control``."""
