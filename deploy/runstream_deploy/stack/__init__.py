"""The local stack as a whole: supervisor, data folder, status."""
