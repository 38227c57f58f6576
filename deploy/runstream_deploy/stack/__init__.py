"""The local stack: data folder, composition, supervisor, status."""
