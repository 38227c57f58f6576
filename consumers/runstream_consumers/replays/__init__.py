"""Replays: a consumer's tables are built again beside those in use, and take their place in one transaction."""
