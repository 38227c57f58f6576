"""Methods of a run for artifacts and models."""
