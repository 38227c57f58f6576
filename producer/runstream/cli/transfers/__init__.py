"""The commands that move runs between trackers and files."""
