"""Point clouds, models and molecules as values to log."""
